"""Streams: each event once and in order, over ends, cuts and crashes, as far as the server can go on."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import httpx
import pytest

from eventflow import codec, durations, facts
from eventflow.durations import Duration
from eventflow.errors import DefinitionError, SensorError, SourceUnreachable
from eventflow.facts import Unit
from eventflow.journal.memory import MemoryJournal
from eventflow.ports import Checkable, Explaining, Sensor
from eventflow.sensors.http.stream import StreamEvent, StreamSensor
from eventflow.sensors.http.streaming import LONGEST_WAIT
from eventflow.system import SystemClock
from eventflow.testing import VirtualClock
from tests.sensors.http.looking import HurriedClock, trouble, until
from tests.sensors.http.server import Act, Asked, Reply, as_json, chunks, cut, drip, end, free_port, hang, sends_on, serving
from tests.sensors.outside import Book, Crashed, outside, watch

NDJSON = "application/x-ndjson"


def sse(*numbers: int) -> bytes:
    return b"".join(f'id: {number}\ndata: {{"n": {number}}}\n\n'.encode() for number in numbers)


def lines(*values: object) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def stream(url: str, *, retry: Duration = "10ms", **options: Any) -> StreamSensor:
    return StreamSensor("source", url, retry=retry, **options)


async def heard(sensor: StreamSensor, book: Book, count: int) -> list[Any]:
    """Listen until so many events are in the book."""
    await watch(sensor, book, outside("source"), lambda book: len(book.events) >= count)
    return [event.data for event in book.events]


# Server-sent events


async def test_each_event_of_a_stream_fires_with_its_type_id_and_data() -> None:
    async with serving() as server:
        book = Book()
        sent = b': hello\n\nevent: add\nid: a1\ndata: {"x":\ndata: [1, 2]}\n\n'
        assert await heard(stream(server.at("/s", chunks(sent))), book, 1) == [StreamEvent(data={"x": [1, 2]}, id="a1")]
    [event] = book.events
    assert (event.source, event.id, event.type, event.subject) == ("source", "a1", "add", "a1")
    [asked] = server.asked
    assert asked.headers["accept"] == "text/event-stream"
    assert asked.headers["accept-encoding"] == "identity"
    assert "last-event-id" not in asked.headers


@pytest.mark.parametrize("then", [end, cut], ids=["end", "cut"])
async def test_where_it_ends_it_goes_on_behind_the_last_id(then: Act) -> None:
    def from_last(asked: Asked) -> Act:
        last = int(asked.headers.get("last-event-id", "0"))
        return chunks(sse(last + 1, last + 2), then=then)

    async with serving() as server:
        book = Book()
        await heard(stream(server.at("/s", from_last)), book, 7)
    assert book.ids[:7] == ["1", "2", "3", "4", "5", "6", "7"]
    assert book.repeated == []
    assert [asked.headers.get("last-event-id") for asked in server.asked] == [None, "2", "4", "6"]


async def test_what_came_together_is_one_observation_in_its_order() -> None:
    async with serving() as server:
        book = Book()
        await heard(stream(server.at("/s", chunks(sse(*range(1, 1201))))), book, 1200)
    assert book.ids == [str(number) for number in range(1, 1201)]
    sizes = [len(seen.events) for seen in book.observations if seen.events]
    assert len(sizes) <= 4
    assert max(sizes) <= 500


async def test_a_crash_at_any_observation_loses_nothing_and_doubles_nothing() -> None:
    def from_last(asked: Asked) -> Act:
        last = int(asked.headers.get("last-event-id", "0"))
        return chunks(*[sse(number) for number in range(last + 1, 9)], *[b'data: {"n": 0}\n\n'] * (last < 9))

    async with serving() as server:
        server.at("/s", from_last)
        for commits in itertools.count():
            book = Book()
            book.commits_left = commits
            crashed = False
            try:
                await heard(stream(server.url + "/s"), book, 9)
            except Crashed:
                crashed, book.commits_left = True, None
                await heard(stream(server.url + "/s"), book, 9)
            assert [event.data.data["n"] for event in book.events] == [1, 2, 3, 4, 5, 6, 7, 8, 0]
            if not crashed:
                return


async def test_events_without_an_id_are_known_where_the_id_before_them_comes_again() -> None:
    tail = b"data: 1\n\ndata: 1\n\ndata: 2\n\n"

    async with serving() as server:
        book = Book()
        told = [chunks(sse(7) + tail, then=end), chunks(sse(7) + tail, then=end), chunks(sse(6, 7) + tail + b"data: 3\n\n" + sse(8))]
        await heard(stream(server.at("/s", *told)), book, 7)
    assert [event.data.data for event in book.events] == [{"n": 7}, 1, 1, 2, {"n": 6}, 3, {"n": 8}]
    assert book.repeated == []


async def test_an_event_behind_an_id_that_came_alone_is_known_when_that_comes_again() -> None:
    async with serving() as server:
        book = Book()
        told = [chunks(sse(7) + b"data: 1\n\nid: 9\n\ndata: 2\n\n", then=end), chunks(b"id: 9\n\ndata: 2\n\n" + sse(10), then=end)]
        await heard(stream(server.at("/s", *told)), book, 4)
    assert [event.data.data for event in book.events] == [{"n": 7}, 1, 2, {"n": 10}]


async def test_equal_events_without_an_id_each_fire_where_no_id_came_before_them_on_their_connection() -> None:
    alarm = b'data: "alarm"\n\n'
    async with serving() as server:
        book = Book()
        sensor = stream(server.at("/s", chunks(sse(1) + alarm, then=end), chunks(alarm, then=end)))
        await heard(sensor, book, 5)
        await heard(sensor, book, 8)
    assert [event.data.data for event in book.events][:8] == [{"n": 1}, *["alarm"] * 7]
    assert len(set(book.ids)) == len(book.ids)
    assert book.repeated == []
    assert {asked.headers.get("last-event-id") for asked in server.asked[1:]} == {"1"}


async def test_a_replay_does_not_lead_the_stream_back() -> None:
    async with serving() as server:
        book = Book()
        again = chunks(sse(3, 4), then=end)
        sensor = stream(server.at("/s", chunks(sse(3, 4, 5), then=end), again, again, chunks(sse(6))))
        await heard(sensor, book, 4)
    assert [asked.headers.get("last-event-id") for asked in server.asked] == [None, "5", "5", "5"]
    assert book.repeated == []


async def test_a_stream_that_is_all_known_already_is_gone_through_to_its_end() -> None:
    async with serving() as server:
        book = Book()
        book.taken = dict.fromkeys(["3", "4"])
        sensor = stream(server.at("/s", chunks(sse(3, 4), then=end), chunks(sse(5))))
        book.cursor = {"watched": "another", "unmarked": sensor._options.watched}
        await heard(sensor, book, 1)
    assert [asked.headers.get("last-event-id") for asked in server.asked] == [None, "4"]
    assert book.ids == ["5"]


async def test_a_crash_between_two_parts_of_what_came_together_loses_nothing() -> None:
    def from_last(asked: Asked) -> Act:
        return chunks(sse(*range(int(asked.headers.get("last-event-id", "0")) + 1, 1201)))

    async with serving() as server:
        server.at("/s", from_last)
        for commits in range(5):
            book = Book()
            book.commits_left = commits
            with suppress(Crashed):
                await heard(stream(server.url + "/s"), book, 1200)
            book.commits_left = None
            await heard(stream(server.url + "/s"), book, 1200)
            assert book.ids == [str(number) for number in range(1, 1201)]


async def test_a_stream_without_ids_is_numbered_and_says_what_that_means() -> None:
    async with serving() as server:
        book = Book()
        sensor = stream(server.at("/s", chunks(b"data: 1\n\ndata: 1\n\n", then=end)))
        await heard(sensor, book, 2)
        await heard(sensor, book, 5)
    assert book.ids == ["+1", "+2", "+3", "+4", "+5", "+6"]
    assert sensor.in_words(book.cursor) == "6 events so far, none with an id: what is sent while nobody listens is lost"


async def test_an_id_that_comes_without_an_event_is_remembered() -> None:
    async with serving() as server:
        book = Book()
        sensor = stream(server.at("/s", chunks(sse(1) + b"id: 9\n\n", then=end), chunks(sse(10))))
        await heard(sensor, book, 2)
        assert sensor.in_words(book.cursor) == "up to id 10"
    assert server.asked[1].headers["last-event-id"] == "9"


@pytest.mark.parametrize("odd", ["ä€", "x" * 4000, " padded ", "\u202e"])
async def test_an_odd_id_is_sent_back_as_it_came(odd: str) -> None:
    async with serving() as server:
        book = Book()
        sensor = stream(server.at("/s", chunks(f"id: {odd}\ndata: 1\n\n".encode(), then=end), chunks(sse(2))))
        await heard(sensor, book, 2)
    assert server.asked[1].headers["last-event-id"] == odd.strip()
    assert all(one.isprintable() and len(one) <= 200 for one in book.ids)


async def test_text_may_stay_text() -> None:
    async with serving() as server:
        told = chunks(b"id: 1\ndata: [DONE]\n\n")
        assert await heard(stream(server.at("/s", told), data="text"), Book(), 1) == [StreamEvent(data="[DONE]", id="1")]


async def test_what_is_no_json_is_an_event_that_says_so_and_the_next_goes_on() -> None:
    async with serving() as server:
        one, two = await heard(stream(server.at("/s", chunks(b"id: 1\ndata: [DONE]\n\n" + sse(2)))), Book(), 2)
    assert (one.data, one.text, one.id) == (None, "[DONE]", "1")
    assert one.fault.startswith("it is no JSON")
    assert two == StreamEvent(data={"n": 2}, id="2")


async def test_F67_an_event_too_large_is_cut_and_the_next_goes_on() -> None:
    async with serving() as server:
        told = chunks(b'id: 1\ndata: "', *[b"x" * 50_000] * 20, b'"\n\n' + sse(2))
        one, two = await heard(stream(server.at("/s", told), largest="10KiB"), Book(), 2)
    assert (one.data, one.text, one.cut) == (None, '"' + "x" * 10239, True)
    assert one.fault == "it is larger than the sensor's `largest`, and was cut off"
    assert two.data == {"n": 2}


async def test_identities_that_are_no_numbers_in_a_row_are_not_kept_for_ever() -> None:
    async with serving() as server:
        book = Book()
        sent = [f"id: {name}\ndata: 1\n\n".encode() for name in ("a", "100", "b")]
        server.at("/s", chunks(sse(*range(5, 9)) + b"".join(sent), then=end), chunks(sse(101)))
        await heard(stream(server.url + "/s"), book, 8)
    assert {name for name, gone in book.taken.items() if gone is None} == {"5", "6", "7", "8", "101"}
    assert {name for name, gone in book.taken.items() if gone is not None} == {"a", "100", "b"}


async def test_what_is_sent_again_stays_known_for_as_long_as_it_is_sent_and_is_noted_once_a_day() -> None:
    clock, journal, book = SystemClock(), MemoryJournal(), Book()
    for name, days in (("a", 2), ("b", 0), ("c", 9), ("left by a crash", 0), ("7", 0)):
        known, spent = facts.IdentitiesKnown("source", (name,)), facts.IdentitiesForgotten("source", (name,))
        told = (known, spent) if len(name) == 1 and not name.isdigit() else (known,)
        await journal.commit(Unit(clock.now() - days * durations.microseconds("1d"), told))
        book.taken[name] = 1
    async with serving() as server:
        again = lines(*({"id": name} for name in ("a", "b", 7, "left by a crash", "n")))
        sensor = stream(server.at("/n", chunks(again, kind=NDJSON)), format="ndjson", id="id")
        book.cursor = {"watched": sensor._options.watched, "unmarked": sensor._options.watched}
        await watch(sensor, book, outside("source", journal=journal), lambda book: bool(book.events))
    assert book.ids == ["n"]
    assert [seen.forget for seen in book.observations if seen.events] == [("a", "left by a crash")]


# Lines of JSON


def after(asked: Asked) -> int:
    return int(httpx.URL("http://h" + asked.target).params.get("after", "0"))


@pytest.mark.parametrize("options", [{"resume": "after"}, {"resume": "after", "id": "k"}], ids=["counted", "by-id"])
@pytest.mark.parametrize(("rest", "then"), [(b"", end), (b'{"k": ', cut)], ids=["end", "cut"])
async def test_lines_go_on_behind_the_last_one_over_ends_cuts_and_crashes(options: dict[str, str], rest: bytes, then: Act) -> None:
    def told(asked: Asked) -> Act:
        return chunks(lines({"k": after(asked) + 1}, {"k": after(asked) + 2}) + rest, kind=NDJSON, then=then)

    async with serving() as server:
        book = Book()
        sensor = stream(server.at("/n", told), format="ndjson", query={"x": "y"}, **options)
        for commits in (1, 3, 2, None):
            book.commits_left = commits
            with suppress(Crashed):
                await heard(sensor, book, 8)
    assert [event.data.data["k"] for event in book.events] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert book.repeated == []
    assert all("x=y" in asked.target for asked in server.asked)


async def test_lines_with_ids_that_are_all_sent_again_fire_once() -> None:
    async with serving() as server:
        book = Book()
        told = [chunks(lines(*({"a": {"id": number}} for number in range(last))), kind=NDJSON, then=end) for last in (3, 5, 5)]
        sensor = stream(server.at("/n", *told), format="ndjson", id="a.id")
        await heard(sensor, book, 5)
    assert book.ids == ["0", "1", "2", "3", "4"]
    assert book.repeated == []


async def test_what_is_sent_again_and_again_moves_nothing_and_comes_in_its_order_when_it_is_new() -> None:
    def listed(*names: str) -> bytes:
        return lines(*({"id": name} for name in names))

    known = [f"k{number}" for number in range(1200)]
    told = [chunks(listed(*known), kind=NDJSON, then=end)] * 3 + [chunks(listed("a", *known, "b"), kind=NDJSON)]
    async with serving() as server:
        book = Book()
        await heard(stream(server.at("/n", *told), format="ndjson", id="id"), book, 1202)
    assert book.ids == [*known, "a", "b"]
    assert book.repeated == []
    assert len({str(seen.cursor) for seen in book.observations if not seen.events}) <= 3
    assert all(len(seen.events) <= 500 for seen in book.observations)


async def test_a_line_that_is_no_json_or_has_no_id_is_an_event_that_says_so() -> None:
    async with serving() as server:
        book = Book()
        told = chunks(b'oops\n{"id": 1}\n{"no": 2}\n{"id": null}\n' + b"[" * 50_000 + b"\n", kind=NDJSON)
        events = await heard(stream(server.at("/n", told), format="ndjson", id="id"), book, 5)
    assert [event.id for event in events] == [None, "1", None, None, None]
    assert [(event.fault or "")[:14] for event in events] == ["it is no JSON:", "", "it has no id a", "it has no id a", "it is no JSON:"]
    assert events[2].data == {"no": 2}
    assert len(set(book.ids)) == 5


@pytest.mark.parametrize("odd", ["", "x" * 5000, 1.5, True])
async def test_a_line_with_an_id_that_is_none_moves_nothing(odd: object) -> None:
    async with serving() as server:
        book = Book()
        told = chunks(lines({"id": 7}, {"id": odd}), kind=NDJSON)
        _, event = await heard(stream(server.at("/n", told), format="ndjson", id="id"), book, 2)
    assert event.fault == "it has no id at 'id'"
    assert book.cursor["last"] == 7


async def test_a_last_line_without_its_end_counts_if_the_answer_ended_properly() -> None:
    async with serving() as server:
        told = chunks(b"1\n2", kind=NDJSON, then=end), chunks(b"3\n4", kind=NDJSON, then=cut), chunks(b"5\n", kind=NDJSON)
        events = await heard(stream(server.at("/n", *told), format="ndjson"), Book(), 4)
    assert [event.data for event in events] == [1, 2, 3, 5]


# Connections


async def test_nothing_for_so_long_and_it_is_connected_anew() -> None:
    async with serving() as server:
        book = Book()
        sensor = stream(server.at("/s", chunks(sse(1)), chunks(sse(2))), idle="100ms")
        await heard(sensor, book, 2)
    assert book.ids == ["1", "2"]
    assert server.open == 0


async def test_a_comment_now_and_then_keeps_a_quiet_connection() -> None:
    clock, beat = VirtualClock(), asyncio.Semaphore(0)

    async def beats(line: Any) -> None:
        for _ in range(6):
            await beat.acquire()
            await line.send(b"3\r\n:\n\n\r\n")
        await beat.acquire()
        await line.send(b"%x\r\n" % len(sse(2)) + sse(2) + b"\r\n")
        await hang(line)

    async with serving() as server:
        sensor, book = stream(server.at("/s", chunks(sse(1), then=beats)), idle="200ms"), Book()
        listening = asyncio.create_task(watch(sensor, book, outside("source", clock=clock), lambda book: len(book.events) == 2))
        for count in range(2, 9):
            await until(lambda count=count: len(book.observations) == count)
            await clock.until_waiting()  # for the next part, for so long and no longer
            await clock.advance(0.15)
            beat.release()
        await listening
    assert len(server.asked) == 1
    assert len(book.observations) == 9  # heartbeats


@pytest.mark.parametrize(
    ("sent", "least", "most"), [(b"retry: 20000\n\n", 15, 20), (b"retry: 99999999999\n\n", 225, 300), (b"retry: x\n\n", 3, 4)]
)
async def test_A86_it_waits_as_the_server_asks_but_not_for_ever(sent: bytes, least: float, most: float) -> None:
    clock = HurriedClock()
    async with serving() as server:
        sensor = stream(server.at("/s", chunks(sent, then=end), chunks(sse(1))), retry="4s")
        await watch(sensor, Book(), outside("source", clock=clock), lambda book: bool(book.events))
    [wait] = clock.slept
    assert least <= wait <= most <= LONGEST_WAIT


async def test_a_server_that_takes_connections_and_says_nothing_is_asked_less_and_less() -> None:
    clock = HurriedClock()
    async with serving() as server:
        sensor = stream(server.at("/s", *[chunks(then=end)] * 12, chunks(sse(1), then=end), chunks(sse(2))), retry="1s")
        await watch(sensor, Book(), outside("source", clock=clock), lambda book: len(book.events) == 2)
    assert all(earlier < later for earlier, later in itertools.pairwise(clock.slept[:7]))
    assert max(clock.slept) <= LONGEST_WAIT
    assert clock.slept[-1] <= 1


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (as_json([]), "the answer is application/json, not text/event-stream"),
        (Reply(b"<p>", headers={"Content-Type": "text/html"}), "the answer is text/html, not text/event-stream"),
        (Reply(status=204), "it has nothing to stream at present"),
        (Reply(status=503, headers={"Retry-After": "7"}), "answered 503"),
        (Reply(status=401), "check the sensor's auth"),
        (sends_on("http://169.254.169.254/"), "whose address is reserved"),
        (hang, "no whole answer within 200ms"),
    ],
    ids=["json", "html", "204", "503", "401", "inside", "hang"],
)
async def test_what_is_no_stream_is_told_and_moves_nothing(told: Any, said: str) -> None:
    async with serving() as server:
        book = Book()
        error = await trouble(stream(server.at("/s", told), timeout="200ms"), book)
        with pytest.raises(SensorError) as caught:
            await stream(server.url + "/s", timeout="200ms").check(outside())
    assert said in str(error)
    assert str(caught.value) == str(error)
    assert book.observations == []
    if said == "answered 503":
        assert error.retry_after == 7


async def test_a_page_is_no_stream_of_lines() -> None:
    async with serving() as server:
        told = Reply(b"<p>\n<p>\n", headers={"Content-Type": "text/html"})
        assert "not JSON line by line" in str(await trouble(stream(server.at("/n", told), format="ndjson")))


async def test_nothing_that_listens_is_told() -> None:
    error = await trouble(stream(f"http://127.0.0.1:{free_port()}/"))
    assert isinstance(error, SourceUnreachable)
    assert "nothing listens there" in str(error)


async def test_a_check_connects_and_leaves() -> None:
    async with serving() as server:
        await stream(server.at("/s", chunks(sse(1)))).check(outside())
        await server.left()
    assert len(server.asked) == 1


@pytest.mark.parametrize("told", [chunks(b""), chunks(sse(1)), hang, drip], ids=["quiet", "heard", "hang", "drip"])
async def test_closed_wherever_it_waits_it_leaves_nothing_open(told: Act) -> None:
    async with serving() as server:
        observations = stream(server.at("/s", told)).observe(None, Book(), outside("source"))

        async def listen() -> None:
            async for _ in observations:
                pass

        task = asyncio.create_task(listen())
        await server.heard()
        task.cancel()
        with suppress(asyncio.CancelledError, SensorError):
            await task
        await server.left()


async def test_another_stream_begins_anew_and_takes_no_identity_twice() -> None:
    async with serving() as server:
        book = Book()
        server.at("/a", chunks(b"data: 1\n\n"))
        server.at("/b", chunks(b"data: 2\n\n"))
        server.at("/c", chunks(sse(5)))
        server.at("/d", chunks(sse(5)))
        for count, path in enumerate(("/a", "/b", "/c", "/d", "/a", "/c"), 1):
            if path != "/c" or count == 3:
                await heard(stream(server.url + path), book, count)
        server.at("/c", chunks(sse(5, 6)))
        await heard(stream(server.url + "/c"), book, 6)
    assert [one.rpartition("/")[2] for one in book.ids] == ["+1", "+1", "5", "5", "+2", "6"]
    assert len(set(book.ids)) == 6
    assert [asked.headers.get("last-event-id") for asked in server.asked] == [None] * 6


async def test_another_stream_of_counted_lines_is_heard_from_its_beginning_and_the_first_again_from_where_it_was() -> None:
    def told(asked: Asked) -> Act:
        return chunks(lines(*range(after(asked) + 1, 4)), kind=NDJSON)

    async with serving() as server:
        book = Book()
        one, other = (stream(server.at(path, told), format="ndjson", resume="after") for path in ("/a", "/b"))
        await heard(one, book, 3)
        await heard(other, book, 6)
        server.at("/a", lambda asked: chunks(lines(*range(after(asked) + 1, 5)), kind=NDJSON))
        await heard(one, book, 7)
    assert [event.data.data for event in book.events] == [1, 2, 3, 1, 2, 3, 4]


@pytest.mark.parametrize("cursor", [5, "x", [], {"last": 7}, {"watched": "x", "mark": "y"}])
async def test_a_cursor_of_another_kind_of_sensor_is_a_beginning(cursor: object) -> None:
    async with serving() as server:
        book = Book()
        book.cursor = cursor
        await heard(stream(server.at("/s", chunks(sse(1)))), book, 1)
    assert "last-event-id" not in server.asked[0].headers


def test_it_says_where_it_stands() -> None:
    sensor = StreamSensor("source", "http://h/x?token=canary")
    assert sensor.in_words(None) == "has heard nothing yet"
    assert repr(sensor) == "<StreamSensor 'source': http://h/x?token=***>"
    place = codec.decode(b'{"watched": "x", "count": 1}')
    assert sensor.in_words(place | {"watched": sensor._options.watched}).startswith("1 event so far, none with an id")
    counted = StreamSensor("source", "http://h/", format="ndjson", resume="after")
    assert counted.in_words(place | {"watched": counted._options.watched}) == "1 event so far"
    typed: Sensor[StreamEvent] = sensor
    assert isinstance(typed, Checkable)
    assert isinstance(typed, Explaining)
    assert typed.interval == 300 + 30 + LONGEST_WAIT + 30


def options() -> Iterable[tuple[dict[str, Any], str]]:
    yield {"format": "xml"}, "use 'sse' or 'ndjson'"
    yield {"data": "bytes"}, "use 'json' or 'text'"
    yield {"id": "id"}, "bring their own ids"
    yield {"resume": "after"}, "go on by Last-Event-ID"
    yield {"format": "ndjson", "id": "a..b"}, "is no place in a JSON document"
    yield {"format": "ndjson", "id": "id", "data": "text"}, "with data='json'"
    yield {"format": "ndjson", "resume": ""}, "names a parameter"
    yield {"idle": 0}, "too short"
    yield {"retry": "10m"}, "at most '5m'"
    yield {"retry": 0}, "too short"


@pytest.mark.parametrize(("wrong", "said"), list(options()))
def test_options_that_cannot_be_meant_are_refused_at_their_line(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(DefinitionError, match=said) as caught:
        StreamSensor("source", "http://h/", **wrong)
    assert "test_stream.py" in str(caught.value)
