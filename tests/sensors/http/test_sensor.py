"""What counts as a change, and that each one fires once, over restarts and crashes."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from collections.abc import Sequence
from contextlib import aclosing, suppress
from typing import Any

import pytest

from eventflow import codec
from eventflow.errors import DefinitionError, SensorError, SourceUnreachable
from eventflow.ports import Checkable, Explaining, Sensor
from eventflow.secret import Secret
from eventflow.sensors.http.addresses import written
from eventflow.sensors.http.changes import LONGEST_TEXT
from eventflow.sensors.http.rounds import Rounds
from eventflow.sensors.http.sensor import Body, Feed, Header, HTTPChange, HTTPSensor, Items, Status, Value
from eventflow.sensors.http.stream import StreamSensor
from tests.sensors.http.looking import HurriedClock, look, trouble
from tests.sensors.http.server import Reply, as_json, drip, free_port, hang, nothing, serving
from tests.sensors.http.test_feeds import RSS
from tests.sensors.outside import Book, Crashed, outside, watch


def values(*numbers: object) -> list[Reply]:
    return [as_json({"data": {"n": number}}) for number in numbers]


# Values


async def test_a_value_fires_when_it_changes_and_not_while_it_stays() -> None:
    async with serving() as server:
        sensor = HTTPSensor("source", server.at("/v", *values(1, 1, 2, 2, 2)), change=Value("data.n"))
        book = Book()
        for _ in range(5):
            await look(sensor, book)
    [event] = book.events
    assert event.data == HTTPChange(url=server.url + "/v", status=200, before=1, after=2)
    assert (event.source, event.type, event.id, event.subject) == ("source", "change", "1", server.url + "/v")


async def test_a_value_that_comes_back_is_another_change() -> None:
    async with serving() as server:
        sensor = HTTPSensor("source", server.at("/v", *values("a", "b", "a", "b")), change=Value("data.n"))
        book = Book()
        for _ in range(4):
            await look(sensor, book)
    assert [(event.data.before, event.data.after) for event in book.events] == [("a", "b"), ("b", "a"), ("a", "b")]
    assert book.ids == ["1", "2", "3"]


async def test_what_is_there_at_the_first_look_fires_if_asked_for() -> None:
    async with serving() as server:
        sensor = HTTPSensor("source", server.at("/v", *values(1, 1, 2)), change=Value("data.n"), existing="fire")
        book = Book()
        for _ in range(3):
            await look(sensor, book)
    assert [(event.data.before, event.data.after) for event in book.events] == [(None, 1), (1, 2)]


async def test_the_order_of_keys_is_no_change() -> None:
    async with serving() as server:
        told = [Reply(b'{"a": 1, "b": {"c": 1, "d": 2}}'), Reply(b'{"b": {"d": 2, "c": 1},\n "a": 1}')]
        sensor = HTTPSensor("source", server.at("/v", *told), change=Value(""))
        book = Book()
        assert await look(sensor, book) == await look(sensor, book) == []


async def test_a_value_too_large_to_be_carried_is_left_out_and_told_apart_all_the_same() -> None:
    large = "x" * LONGEST_TEXT
    async with serving() as server:
        sensor = HTTPSensor("source", server.at("/v", *values(large, large + "y", large + "z", 1)), change=Value("data.n"))
        book = Book()
        for _ in range(4):
            await look(sensor, book)
            assert len(codec.encode(book.cursor)) < 1000
    assert [(event.data.after, event.data.cut) for event in book.events] == [(None, True), (None, True), (1, False)]


async def test_a_value_nested_too_deep_to_be_carried_is_left_out_and_told_apart_all_the_same() -> None:
    told = [Reply(b'{"data": {"n": ' + b"[" * depth + b"]" * depth + b"}}") for depth in (700, 701, 100, 101)]
    async with serving() as server:
        sensor = HTTPSensor("source", server.at("/v", *told), change=Value("data.n"))
        book = Book()
        for _ in told:
            await look(sensor, book)
    assert [event.data.cut for event in book.events] == [True, False, True]


async def test_a_value_that_looks_like_one_of_ours_is_carried_as_it_is() -> None:
    ours = {"$path": "a"}
    async with serving() as server:
        sensor = HTTPSensor("source", server.at("/v", *values(ours, {"x": ours}, 1)), change=Value("data.n"))
        book = Book()
        for _ in range(3):
            await look(sensor, book)
    assert [(event.data.before, event.data.after) for event in book.events] == [(ours, {"x": ours}), ({"x": ours}, 1)]


async def test_a_value_that_is_missing_is_told_with_what_is_there() -> None:
    async with serving() as server:
        book = Book()
        sensor = HTTPSensor("source", server.at("/v", *values(1), as_json({"data": {"m": 1}}), *values(2)), change=Value("data.n"))
        await look(sensor, book)
        before = book.cursor
        assert "where 'n' was looked for, there are the keys 'm'" in str(await trouble(sensor, book))
        assert book.cursor == before
        assert [change.before for change in await look(sensor, book)] == [1]


async def test_numbers_beyond_64_bits_are_carried() -> None:
    async with serving() as server:
        sensor = HTTPSensor("source", server.at("/v", *values(2**70, 2**70 + 1)), change=Value("data.n"))
        book = Book()
        await look(sensor, book)
        assert [change.after for change in await look(sensor, book)] == [2**70 + 1]


# Bodies, validators


async def test_a_body_fires_when_a_byte_changes_and_is_carried_as_text() -> None:
    async with serving() as server:
        told = [Reply(b"a"), Reply(b"b\xc3\xa4", headers={"ETag": '"2"', "Last-Modified": "Fri, 20 Nov 2026 10:00:00 GMT"})]
        sensor = HTTPSensor("source", server.at("/b", *told))
        book = Book()
        await look(sensor, book)
        [change] = await look(sensor, book)
    assert (change.before, change.after) == (codec.digest(b"a"), codec.digest(b"b\xc3\xa4"))
    assert (change.body, change.etag, change.modified, change.cut) == ("bä", '"2"', "Fri, 20 Nov 2026 10:00:00 GMT", False)


async def test_a_body_is_read_in_the_encoding_that_it_says_and_a_long_one_is_cut() -> None:
    async with serving() as server:
        told = [
            Reply(b""),
            Reply(b"\xe4", headers={"Content-Type": "text/plain; charset=latin-1"}),
            Reply(b"\xff\xfe"),
            Reply(b"x" * 100_000),
        ]
        sensor = HTTPSensor("source", server.at("/b", *told))
        book = Book()
        for _ in range(4):
            await look(sensor, book)
    assert [(event.data.body or "")[:1] for event in book.events] == ["ä", "", "x"]
    assert book.events[1].data.body is None
    assert len(book.events[2].data.body) == LONGEST_TEXT
    assert book.events[2].data.cut


async def test_validators_are_sent_back_and_304_is_no_change() -> None:
    headers = {"ETag": 'W/"1"', "Last-Modified": "Fri, 20 Nov 2026 10:00:00 GMT"}
    async with serving() as server:
        sensor = HTTPSensor("source", server.at("/b", Reply(b"a", headers=headers), Reply(status=304)))
        book = Book()
        await look(sensor, book)
        assert await look(sensor, book) == []
    first, second = server.asked
    assert "if-none-match" not in first.headers
    assert second.headers["if-none-match"] == 'W/"1"'
    assert second.headers["if-modified-since"] == "Fri, 20 Nov 2026 10:00:00 GMT"


async def test_F68_an_etag_that_changes_without_the_body_fires_nothing_and_writes_nothing() -> None:
    async with serving() as server:
        sensor = HTTPSensor("source", server.at("/b", *(Reply(b"a", headers={"ETag": f'"{n}"'}) for n in range(4))))
        book = Book()
        await look(sensor, book)
        cursor = book.cursor
        await look(sensor, book)
        await look(sensor, book)
    assert book.events == []
    assert book.cursor == cursor


async def test_F68_a_body_that_changes_without_the_etag_fires() -> None:
    async with serving() as server:
        sensor = HTTPSensor("source", server.at("/b", *(Reply(body, headers={"ETag": '"same"'}) for body in (b"a", b"b"))))
        book = Book()
        await look(sensor, book)
        assert len(await look(sensor, book)) == 1


async def test_F68_a_server_that_says_for_ever_that_nothing_changed_is_asked_for_the_whole_each_hour() -> None:
    def lying(asked: Any) -> Reply:
        return Reply(status=304) if "if-none-match" in asked.headers else Reply(str(len(server.asked)).encode(), headers={"ETag": '"1"'})

    book = Book()
    async with serving() as server:
        sensor = HTTPSensor("source", server.at("/b", lying), every="20m", jitter=0)
        await watch(sensor, book, outside("source", clock=HurriedClock()), lambda book: bool(book.events))
    assert ["if-none-match" in asked.headers for asked in server.asked] == [False, True, True, False]


@pytest.mark.parametrize("etag", ["x" * 5000, "ä", ""])
async def test_A86_a_validator_that_is_huge_or_none_is_not_kept(etag: str) -> None:
    async with serving() as server:
        sensor = HTTPSensor("source", server.at("/b", Reply(b"a", headers={"ETag": etag})))
        book = Book()
        await look(sensor, book)
        await look(sensor, book)
    assert "if-none-match" not in server.asked[1].headers
    assert len(codec.encode(book.cursor)) < 1000


async def test_A86_an_etag_of_a_megabyte_is_an_error_and_nothing_worse() -> None:
    async with serving() as server:
        error = await trouble(HTTPSensor("source", server.at("/b", Reply(b"a", headers={"ETag": "x" * 1_000_000}))))
    assert isinstance(error, SourceUnreachable)
    assert len(str(error)) < 500


async def test_a_304_that_nobody_asked_for_is_an_error() -> None:
    async with serving() as server:
        assert "answered 304" in str(await trouble(HTTPSensor("source", server.at("/b", Reply(status=304)))))


# Headers


async def test_headers_are_asked_for_without_the_body_until_they_change() -> None:
    async with serving() as server:
        one, two = (Reply(body, headers={"ETag": f'"{body.decode()}"'}) for body in (b"a", b"b"))
        sensor = HTTPSensor("source", server.at("/h", one, one, one, two, two), change=Header())
        book = Book()
        for _ in range(3):
            await look(sensor, book)
    assert [asked.method for asked in server.asked] == ["HEAD", "GET", "HEAD", "HEAD", "GET"]
    [event] = book.events
    assert event.data.before == {"ETag": '"a"', "Last-Modified": ""}
    assert event.data.after == {"ETag": '"b"', "Last-Modified": ""}


async def test_F68_a_header_that_changes_alone_fires_only_if_it_is_believed() -> None:
    async with serving() as server:
        told = [Reply(b"same", headers={"ETag": f'"{n // 2}"'}) for n in range(8)]
        for confirm, fired in ((True, 0), (False, 1)):
            sensor = HTTPSensor("source", server.at("/h", *(told if confirm else told[::2])), change=Header("ETag", confirm=confirm))
            book = Book()
            await look(sensor, book)
            assert len(await look(sensor, book)) == fired


async def test_a_server_that_knows_no_head_is_asked_otherwise() -> None:
    def told(asked: Any) -> Reply:
        return Reply(status=405) if asked.method == "HEAD" else Reply(b"x" * 100_000, headers={"X-Version": "1"})

    async with serving() as server:
        sensor = HTTPSensor("source", server.at("/h", told), change=Header("X-Version", confirm=False), largest="1KiB")
        book = Book()
        await look(sensor, book)
    assert book.cursor["value"] == '{"X-Version":"1"}'


async def test_headers_that_are_not_there_are_told() -> None:
    async with serving() as server:
        error = await trouble(HTTPSensor("source", server.at("/h", Reply(b"a")), change=Header()))
    assert "none of the headers ETag, Last-Modified" in str(error)


# Status


async def test_up_and_down_fire_at_the_edge() -> None:
    up, down = Reply(b"ok"), Reply(status=503)
    async with serving() as server:
        sensor = HTTPSensor("source", server.at("/s", up, down, down, up, up), change=Status(after=1))
        book = Book()
        for _ in range(5):
            await look(sensor, book)
    assert [(event.type, event.data.before, event.data.after, event.data.status) for event in book.events] == [
        ("down", "up", "down", 503),
        ("up", "down", "up", 200),
    ]
    assert "answered 503 Service Unavailable" in book.events[0].data.reason


async def test_one_failed_look_is_not_down_yet() -> None:
    up, down = Reply(b"ok"), Reply(status=500)
    async with serving() as server:
        sensor = HTTPSensor("source", server.at("/s", up, down, up, down, down, down, up), change=Status(), every="100ms")
        book = Book()
        await look(sensor, book, observations=7)
    assert [event.type for event in book.events] == ["down", "up"]


@pytest.mark.parametrize("way", ["refused", "hang", "nothing"])
async def test_whatever_keeps_an_answer_away_is_down_and_no_failure_of_the_sensor(way: str) -> None:
    async with serving() as server:
        url = server.at("/s", hang if way == "hang" else nothing)
        url = f"http://127.0.0.1:{free_port()}/" if way == "refused" else url
        sensor = HTTPSensor("source", url, change=Status(after=1), existing="fire", timeout="200ms")
        book = Book()
        [change] = await look(sensor, book)
    assert (change.before, change.after, change.status) == (None, "down", None)
    assert change.reason.startswith(f"GET {url}")


async def test_an_endless_body_does_not_make_a_server_look_down() -> None:
    async with serving() as server:
        sensor = HTTPSensor("source", server.at("/s", drip), change=Status(after=1), existing="fire")
        assert [change.after for change in await look(sensor, Book())] == ["up"]


# Crashes, restarts, new settings


KINDS: list[tuple[Any, list[Reply], int]] = [
    (Value("data.n"), values(1, 2, 1, 3), 3),
    (Body(), [Reply(body) for body in (b"a", b"b", b"a", b"c")], 3),
    (Header("ETag", confirm=False), [Reply(headers={"ETag": tag}) for tag in ("1", "2", "1", "3")], 3),
    (Status(after=1), [Reply(), Reply(status=500), Reply(), Reply(status=500)], 3),
    (Items("", id="$"), [as_json(list(range(size, 0, -1))) for size in (1, 1001, 1002, 2100)], 2099),
    (Feed(), [Reply(b"<rss>" + b"<item><guid>%d</guid></item>" * n % tuple(range(n, 0, -1)) + b"</rss>") for n in (1, 3, 4, 7)], 6),
]


@pytest.mark.parametrize(("change", "told", "count"), KINDS, ids=lambda value: type(value).__name__)
async def test_a_crash_at_any_observation_loses_nothing_and_doubles_nothing(change: Any, told: Sequence[Reply], count: int) -> None:
    async with serving() as server:
        for commits in itertools.count():
            book, crashed = Book(), False
            for state in told:
                sensor = HTTPSensor("source", server.at("/x", state), change=change)
                book.commits_left = commits
                with suppress(Crashed):
                    await whole_look(sensor, book)
                    continue
                crashed, book.commits_left = True, None
                await whole_look(sensor, book)
            assert len(book.events) == len(set(book.ids)) == count
            assert book.repeated == []
            if not crashed:
                return


async def whole_look(sensor: HTTPSensor, book: Book) -> None:
    rounds = await Rounds.of(sensor._options, book.cursor, book, outside("source"))
    async with aclosing(rounds.look()) as observations:
        async for observation in observations:
            book.commit(observation)


async def test_a_change_while_the_sensor_was_away_fires_once() -> None:
    async with serving() as server:
        book = Book()
        sensor = HTTPSensor("source", server.at("/v", *values(1, 5)), change=Value("data.n"))
        await look(sensor, book)
        assert [change.after for change in await look(sensor, book)] == [5]
        assert await look(sensor, book) == []


async def test_another_address_or_another_change_begins_anew_and_never_takes_an_identity_twice() -> None:
    async with serving() as server:
        book = Book()
        first = HTTPSensor("source", server.at("/v", *values(1, 2)), change=Value("data.n"))
        await look(first, book)
        await look(first, book)
        other = HTTPSensor("source", server.at("/w", *values(7, 8)), change=Value("data.n"))
        assert await look(other, book) == []
        assert [(change.before, change.after) for change in await look(other, book)] == [(7, 8)]
        items = HTTPSensor("source", server.at("/l", as_json([]), as_json([{"id": 1}])), change=Items(""))
        await look(items, book, observations=2)
        await look(items, book, observations=2)
        again = HTTPSensor("source", server.at("/v", *values(1, 2)), change=Value("data.n"))
        await look(again, book)
        await look(again, book)
    assert [one.rpartition("/")[2] for one in book.ids] == ["1", "1", "1", "2"]
    assert (book.ids[0], book.ids[3]) == ("1", "2")
    assert len(set(book.ids)) == 4
    assert book.repeated == []


async def test_a_renewed_token_is_no_new_address() -> None:
    async with serving() as server:
        book = Book()
        server.at("/v", *values(1, 2))
        await look(HTTPSensor("source", server.url + "/v?token=old", change=Value("data.n")), book)
        assert len(await look(HTTPSensor("source", server.url + "/v?token=new", change=Value("data.n")), book)) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://h/a", "https://h/b"),
        ("https://h/a?page=1", "https://h/a?page=2"),
        ("https://h/" + "a" * 400 + "/1", "https://h/" + "a" * 400 + "/2"),
        (Secret("https://h/T0/canary-1"), Secret("https://h/T0/canary-2")),
    ],
    ids=["path", "query", "far on", "secret"],
)
def test_two_addresses_are_never_taken_for_the_same(one: str | Secret, other: str | Secret) -> None:
    for kind in (HTTPSensor, StreamSensor):
        watched = [kind("source", url)._options.watched for url in (one, other, one)]
        assert watched[0] == watched[2] != watched[1]
        queries = [kind("source", "http://h/", query={"room": room})._options.watched for room in "aba"]
        assert queries[0] == queries[2] != queries[1]
        tokens = [kind("source", "http://h/", query={"x": Secret(f"canary-{n}"), "token": str(n)})._options.watched for n in (1, 2)]
        assert tokens[0] == tokens[1]


def test_A75_what_tells_secret_addresses_apart_is_no_plain_digest_that_could_be_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []
    slow = hashlib.scrypt

    def noted(*text: Any, **cost: Any) -> bytes:
        asked.append(cost)
        return slow(*text, **cost)

    monkeypatch.setattr(hashlib, "scrypt", noted)
    identity = written(Secret("https://h/guessed")).identity
    assert "guessed" not in identity
    [cost] = asked
    assert cost["n"] * cost["r"] * 128 >= 16 * 1024 * 1024


@pytest.mark.parametrize("cursor", [None, 5, "x", [], {}, {"watched": 3}, {"last": 4}])
async def test_a_cursor_of_another_kind_of_sensor_is_a_first_look(cursor: object) -> None:
    async with serving() as server:
        book = Book()
        book.cursor = cursor
        sensor = HTTPSensor("source", server.at("/v", *values(1)), change=Value("data.n"))
        assert await look(sensor, book) == []
        assert "no change so far, now 1" in sensor.in_words(book.cursor)


# Time


async def test_it_rests_between_looks_with_jitter_and_asks_one_at_a_time() -> None:
    clock = HurriedClock()
    async with serving() as server:
        sensor = HTTPSensor("source", server.at("/b", Reply(b"a")), every="60s")
        await look(sensor, Book(), world=outside("source", clock=clock), observations=20)
    assert len(clock.slept) == 19
    assert all(54 <= wait <= 66 for wait in clock.slept)
    assert max(clock.slept) - min(clock.slept) > 3


async def test_nothing_stays_open_between_looks() -> None:
    async with serving() as server:
        sensor = HTTPSensor("source", server.at("/b", Reply(b"a")))
        observations = sensor.observe(None, Book(), outside("source"))
        await anext(observations)
        pending = asyncio.ensure_future(anext(observations))
        await server.left()
        pending.cancel()
        with suppress(asyncio.CancelledError):
            await pending
        await observations.aclose()


async def test_closed_in_the_middle_of_a_look_it_leaves_nothing_behind() -> None:
    async with serving() as server:
        sensor = HTTPSensor("source", server.at("/b", drip))
        pending = asyncio.ensure_future(anext(sensor.observe(None, Book(), outside("source"))))
        await server.heard()
        pending.cancel()
        with suppress(asyncio.CancelledError):
            await pending
        await server.left()


def test_the_interval_allows_for_the_wait_and_every_request() -> None:
    assert HTTPSensor("source", "http://h/", every="10m", jitter="1m", timeout="20s").interval == 600 + 60 + 60 + 30


# What else it offers


async def test_it_says_where_it_stands() -> None:
    sensor = HTTPSensor("source", "http://h/x?token=canary", change=Value("n"))
    assert sensor.in_words(None) == "has not had a first look at http://h/x?token=*** yet"
    assert repr(sensor) == "<HTTPSensor 'source': http://h/x?token=***>"
    async with serving() as server:
        book = Book()
        sensor = HTTPSensor("source", server.at("/v", *values(1, 2, "\x1b[31m")), change=Value("data.n"))
        await look(sensor, book)
        await look(sensor, book)
        assert sensor.in_words(book.cursor) == "1 change so far, now 2"
        await look(sensor, book)
        assert sensor.in_words(book.cursor) == "2 changes so far, now \\x1b[31m"
        items = HTTPSensor("source", server.at("/l", as_json([])), change=Items(""))
        await look(items, book, observations=2)
        assert items.in_words(book.cursor) == "knows every item that it has seen"


@pytest.mark.parametrize(
    ("change", "good", "bad"),
    [
        (Body(), Reply(b"x"), Reply(status=404)),
        (Value("n"), as_json({"n": 1}), as_json({})),
        (Items("items"), as_json({"items": []}), as_json({"items": {}})),
        (Feed(), Reply(RSS), Reply(b"<html/>")),
        (Header("X"), Reply(headers={"X": "1"}), Reply()),
    ],
)
async def test_a_check_asks_once_and_tells_what_is_wrong(change: Any, good: Reply, bad: Reply) -> None:
    async with serving() as server:
        await HTTPSensor("source", server.at("/x", good), change=change).check(outside())
        with pytest.raises(SensorError):
            await HTTPSensor("source", server.at("/x", bad), change=change).check(outside())


async def test_a_check_of_a_status_is_content_with_down() -> None:
    await HTTPSensor("source", f"http://127.0.0.1:{free_port()}/", change=Status()).check(outside())


def test_it_keeps_to_the_protocol() -> None:
    sensor: Sensor[HTTPChange] = HTTPSensor("source", "http://h/")
    assert isinstance(sensor, Checkable)
    assert isinstance(sensor, Explaining)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"every": "10ms"}, "too often"),
        ({"every": "never"}, "is not a duration"),
        ({"jitter": "2m"}, "more than the time between"),
        ({"existing": "both"}, "use 'fire' or 'ignore'"),
        ({"change": Value}, "is unknown: use Body"),
        ({"change": "etag"}, "is unknown: use Body"),
        ({"timeout": 0}, "too short"),
        ({"timeout": "2h"}, "at most '1h'"),
        ({"largest": "-1MiB"}, "is no size"),
        ({"largest": 0}, "is no size"),
        ({"headers": {"X": 1}}, "give a text or a Secret"),
        ({"headers": "X: y"}, "give a mapping"),
        ({"headers": {"X Y": "z"}}, "no name that a header can have"),
        ({"headers": {"X": "a\r\nY: b"}}, "holds a line break"),
        ({"headers": {"Host": "other"}}, "sets itself"),
        ({"headers": {"If-None-Match": "x"}}, "sets itself"),
        ({"query": {"": "x"}}, "without a name"),
        ({"auth": "token"}, "auth is a str"),
        ({"auth": ("a:b", "c")}, "can't hold a colon"),
        ({"tls": True}, "is no ssl.SSLContext"),
    ],
)
def test_options_that_cannot_be_meant_are_refused_at_their_line(options: dict[str, Any], said: str) -> None:
    with pytest.raises(DefinitionError, match=said) as caught:
        HTTPSensor("source", "http://h/", **options)
    assert "test_sensor.py" in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "arguments", "options"),
    [
        (HTTPSensor, ("Not A Name", "http://h/"), {}),
        (Status, (), {"after": 0}),
        (Status, (), {"after": True}),
        (Items, ("x",), {"id": ()}),
        (Items, ("x",), {"newest": "middle"}),
        (Items, ("x",), {"pages": 0}),
        (Items, ("x",), {"parameter": "page"}),
        (Header, ("",), {}),
    ],
)
def test_changes_that_cannot_be_meant_are_refused_at_their_line(kind: Any, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
    with pytest.raises(DefinitionError) as caught:
        kind(*arguments, **options)
    assert "test_sensor.py" in str(caught.value)
