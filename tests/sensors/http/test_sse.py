"""The parsers of streams: as the standard says, on any bytes, in any pieces, within bounds."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventflow.sensors.http.lines import Lines
from eventflow.sensors.http.ndjson import NDJSON
from eventflow.sensors.http.sse import LONGEST_ID, SSE, Message


def parsed(data: bytes, *, step: int = 0, last_id: str = "", largest: int = 1000) -> list[Message]:
    reader = SSE(last_id, largest)
    pieces = [data[start : start + step] for start in range(0, len(data), step)] if step else [data]
    return [message for piece in pieces for message in reader.feed(piece)]


def texts(data: bytes) -> list[str]:
    return [message.text for message in parsed(data)]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"data: a\n\n", ["a"]),
        (b"data:a\n\n", ["a"]),
        (b"data:  a \n\n", [" a "]),
        (b"data\n\n", [""]),
        (b"data:\n\n", [""]),
        (b"data: a\ndata: b\n\n", ["a\nb"]),
        (b"data\ndata\n\n", ["\n"]),
        (b"data: a\r\ndata: b\r\n\r\n", ["a\nb"]),
        (b"data: a\rdata: b\r\r", ["a\nb"]),
        (b"data: a\r\n\rdata: b\n\n", ["a", "b"]),
        (b": comment\n\ndata: a\n: another\n\n", ["a"]),
        (b"\xef\xbb\xbfdata: a\n\n", ["a"]),
        (b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n", []),
        (b"data: a", []),
        (b"data: a\n", []),
        (b"event: x\n\n", []),
        (b"Data: a\n\n", []),
        (b" data: a\n\n", []),
        (b"data : a\n\n", []),
        (b"unknown: a\ndata: b\n\n", ["b"]),
        (b"data: \xff\xc3\xa4\n\n", ["\ufffd\u00e4"]),
        (b"data: a:b: c\n\n", ["a:b: c"]),
        (b"\n\n\n", []),
        (b"", []),
    ],
)
def test_the_standards_rules(data: bytes, expected: list[str]) -> None:
    assert texts(data) == expected


def test_an_event_has_its_type_once() -> None:
    assert [message.type for message in parsed(b"event: add\ndata: 1\n\ndata: 2\n\nevent:\ndata: 3\n\n")] == ["add", "message", "message"]


def test_an_id_is_its_events_own_and_the_last_one_of_those_behind_it() -> None:
    messages = parsed(b"data: 0\n\nid: 7\ndata: 1\n\ndata: 2\n\nid\ndata: 3\n\n", last_id="5")
    assert [(message.id, message.last_id) for message in messages] == [(None, "5"), ("7", "7"), (None, "7"), (None, "")]


def test_an_id_without_data_moves_the_stream_on() -> None:
    reader = SSE("", 100)
    assert list(reader.feed(b"id: 8\n")) == []
    assert reader.last_id == ""
    assert list(reader.feed(b"\n")) == []
    assert reader.last_id == "8"


@pytest.mark.parametrize("bad", [b"a\x00b", b"\x00", b"a\x01", b"\x7f", b"x" * (LONGEST_ID + 1)])
def test_an_id_that_cannot_be_sent_back_is_passed_over(bad: bytes) -> None:
    [message] = parsed(b"id: good\nid: " + bad + b"\ndata: x\n\n", largest=100_000)
    assert message.id == "good"


@pytest.mark.parametrize(
    ("said", "retry"),
    [
        (b"1500", 1.5),
        (b"0", 0),
        (b"-1", None),
        (b"1.5", None),
        (b"1e3", None),
        (b"", None),
        (b"x", None),
        ("\u0661".encode(), None),
        (b"9" * 500, 999_999_999.999),
    ],
)
def test_retry_is_taken_if_it_is_a_number(said: bytes, retry: float | None) -> None:
    reader = SSE("", 1000)
    list(reader.feed(b"retry: " + said + b"\n"))
    assert reader.retry == retry


def test_what_is_too_large_is_cut_and_the_next_is_whole() -> None:
    one, two, three = parsed(b"data: " + b"x" * 5000 + b"\n\n" + b"data: " + b"y" * 600 + b"\ndata: " + b"z" * 600 + b"\n\ndata: a\n\n")
    assert (one.text, one.cut) == ("x" * 1000, True)
    assert (two.text, two.cut) == ("y" * 600 + "\n" + "z" * 399, True)
    assert (three.text, three.cut) == ("a", False)


def test_a_line_without_an_end_takes_no_memory() -> None:
    reader = SSE("", 1000)
    piece = b"x" * 65536
    tracemalloc.start()
    try:
        list(reader.feed(b"data: "))
        for _ in range(1000):
            list(reader.feed(piece))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


SOME = st.lists(
    st.sampled_from(
        [
            b"data",
            b"id",
            b"event",
            b"retry",
            b":",
            b": ",
            b" ",
            b"\n",
            b"\r",
            b"\r\n",
            b"\n\n",
            b"\xef\xbb\xbf",
            b"\x00",
            b"\xc3",
            b"\xa4",
            b"7",
            b"ab",
        ]
    ),
    max_size=40,
).map(b"".join)


def by_the_book(data: bytes) -> list[tuple[str, str, str]]:
    """The standard's rules, written down as they stand there: type, text and last id of each event."""
    text = data.decode("utf-8", "replace").removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    events: list[tuple[str, str, str]] = []
    kind, buffer, last = "", "", ""
    for line in text.split("\n")[:-1]:
        if not line:
            if buffer:
                events.append((kind or "message", buffer.removesuffix("\n"), last))
            kind, buffer = "", ""
            continue
        name, colon, value = line.partition(":")
        if colon and not name:
            continue
        value = value.removeprefix(" ")
        if name == "event":
            kind = value
        elif name == "data":
            buffer += value + "\n"
        elif name == "id" and "\x00" not in value:
            last = value
    return events


@given(SOME | st.binary(max_size=100))
def test_any_bytes_give_what_the_standard_says(data: bytes) -> None:
    got = [(message.type, message.text, message.last_id) for message in parsed(data)]
    expected = by_the_book(data)
    assert [one[:2] for one in got] == [one[:2] for one in expected]
    if all(byte >= 32 or byte in b"\r\n\0" for byte in data) and 127 not in data:
        assert got == expected  # an id that no header can carry is passed over, beyond what the standard says


@given(SOME, st.integers(1, 5))
def test_the_pieces_in_which_bytes_come_make_no_difference(data: bytes, step: int) -> None:
    assert parsed(data, step=step) == parsed(data)


@given(st.binary(max_size=60), st.integers(1, 4), st.integers(1, 20))
def test_lines_are_the_same_in_any_pieces(data: bytes, step: int, longest: int) -> None:
    whole, pieces = Lines(longest), Lines(longest)
    once = list(whole.feed(data))
    assert [line for start in range(0, len(data), step) for line in pieces.feed(data[start : start + step])] == once
    assert pieces.rest() == whole.rest()
    assert all(len(line.content) <= longest for line in once)


def test_lines_of_json() -> None:
    reader = NDJSON(20)
    assert [message.text for message in reader.feed(b'{"a": 1}\r\n\n  \n{"b":')] == ['{"a": 1}']
    assert [(message.text, message.cut) for message in reader.feed(b" 2}\n" + b"x" * 30 + b"\n[")] == [
        ('{"b": 2}', False),
        ("x" * 20, True),
    ]
    assert [message.text for message in reader.end()] == ["["]
