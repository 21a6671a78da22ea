"""Servers that misbehave: each one ends in a plain error in time, within bounds, and moves nothing."""

from __future__ import annotations

import gzip
import socket
import tracemalloc
import zlib
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventflow.durations import SECOND
from eventflow.errors import SourceUnreachable
from eventflow.sensors.http.failures import LONGEST_RETRY_AFTER, retry_after
from eventflow.sensors.http.sensor import Body, Feed, Header, HTTPSensor, Items, Value
from tests.sensors.http.looking import look, trouble
from tests.sensors.http.server import (
    Act,
    Reply,
    as_json,
    bomb,
    cut_chunk,
    drip,
    drip_headers,
    flood,
    free_port,
    hang,
    hang_behind_headers,
    no_http,
    nothing,
    reset_in_body,
    serving,
    short,
)
from tests.sensors.outside import Book

NOW = 1_800_000_000 * SECOND

HTML = Reply(b"<!doctype html><p>Log in", headers={"Content-Type": "text/html; charset=utf-8"})


@pytest.mark.parametrize("act", [hang, hang_behind_headers, drip, drip_headers], ids=lambda act: act.__name__)
async def test_F65_a_server_that_hangs_is_given_up_after_the_whole_time_however_often_it_sends_something(act: Act) -> None:
    async with serving() as server:
        error = await trouble(HTTPSensor("source", server.at("/x", act), timeout="200ms"))
        assert str(error) == f"GET {server.url}/x: no whole answer within 200ms"
        assert isinstance(error, SourceUnreachable)


async def test_F65_a_server_that_takes_connections_and_never_reads_is_given_up() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        assert "no whole answer within 200ms" in str(await trouble(HTTPSensor("source", url, timeout="200ms")))


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (reset_in_body, "the connection was cut"),
        (short, "cut short"),
        (cut_chunk, "cut short"),
        (no_http, "no proper HTTP"),
        (nothing, "no proper HTTP"),
        (bomb, "larger than 1000000 bytes"),
        (flood, "larger than 1000000 bytes"),
        (Reply(b"x" * 1_000_001), "larger than 1000000 bytes"),
        (Reply(b"", headers={"Content-Length": "10000000000"}), "larger than 1000000 bytes"),
        (Reply(b"x", headers={"Content-Encoding": "br"}), "in the encoding 'br', which wasn't asked for"),
        (Reply(b"x", headers={"Content-Encoding": "gzip, gzip"}), "in the encoding 'gzip, gzip'"),
        (Reply(b"no gzip at all", headers={"Content-Encoding": "gzip"}), "says that it is gzip, and isn't"),
        (Reply(gzip.compress(b"x" * 1000)[:-9], headers={"Content-Encoding": "gzip"}), "cut short: its gzip stream has no end"),
        (HTML, "is text/html and no JSON"),
        (Reply(b""), "of 0 bytes, is no type and no JSON"),
        (Reply(b"[" * 100_000), "nested too deep"),
        (Reply(b"NaN"), "no JSON"),
        (Reply(b'{"a": 1e999}'), "no JSON"),
        (Reply(b"1" * 5000), "no JSON"),
        (Reply(b'"\\ud800"'), "no JSON"),
        (Reply(b"\xff\xfe1\x00"), "no JSON"),
        (Reply(status=500), "answered 500 Internal Server Error"),
        (Reply(status=401), "answered 401 Unauthorized: check the sensor's auth"),
        (Reply(status=404), "answered 404 Not Found: check the sensor's url"),
        (Reply(status=299 + 300), "answered 599"),
        (Reply(status=300), "answered 300 Multiple Choices"),
    ],
)
async def test_F67_what_is_no_good_answer_is_told_plainly_and_leaves_the_cursor_where_it_was(told: Any, said: str) -> None:
    async with serving() as server:
        sensor = HTTPSensor("source", server.at("/x", as_json(1), told), change=Value(""), largest=1_000_000)
        book = Book()
        await look(sensor, book)
        before = book.cursor
        error = await trouble(sensor, book)
    assert said in str(error)
    assert str(error).startswith(f"GET {server.url}/x: ")
    assert len(str(error)) < 500
    assert book.cursor == before
    assert len(book.observations) == 1


@pytest.mark.parametrize("change", [Body(), Value(""), Items(""), Feed(), Header("ETag")], ids=lambda change: type(change).__name__)
async def test_F67_no_kind_of_change_takes_a_failure_for_one(change: Any) -> None:
    async with serving() as server:
        error = await trouble(HTTPSensor("source", server.at("/x", Reply(b"<p>", 502, {"ETag": '"1"'})), change=change))
    assert "answered 502 Bad Gateway" in str(error)


async def test_F67_a_gzip_bomb_takes_no_memory() -> None:
    async with serving() as server:
        sensor = HTTPSensor("source", server.at("/x", bomb), largest="1MiB")
        await trouble(sensor)
        tracemalloc.start()
        try:
            await trouble(sensor)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 8_000_000


async def test_what_fits_exactly_is_taken_packed_or_not() -> None:
    async with serving() as server:
        for body, headers in ((b"x" * 1000, {}), (gzip.compress(b"x" * 1000), {"Content-Encoding": "gzip"})):
            sensor = HTTPSensor("source", server.at("/x", Reply(body, headers=headers)), largest=1000, existing="fire")
            assert [change.body for change in await look(sensor, Book())] == ["x" * 1000]
    assert server.asked[0].headers["accept-encoding"] == "gzip"


@given(st.lists(st.binary(max_size=70_000), min_size=1, max_size=3), st.integers(1, 70_000), st.binary(max_size=3))
def test_gzip_in_any_pieces_and_of_several_members_is_unpacked(members: list[bytes], step: int, zeros: bytes) -> None:
    from eventflow.sensors.http.reading import _Gunzip

    packed = b"".join(map(gzip.compress, members)) + b"\0" * len(zeros)
    gunzip = _Gunzip()
    pieces = [piece for start in range(0, len(packed), step) for piece in gunzip.feed(packed[start : start + step])]
    assert b"".join(pieces) == b"".join(members)
    assert max(map(len, pieces), default=0) <= 65536
    assert gunzip.whole


def test_gzip_that_stops_anywhere_is_not_whole() -> None:
    from eventflow.sensors.http.reading import _Gunzip

    packed = gzip.compress(bytes(range(256)) * 50)
    for end in range(1, len(packed)):
        gunzip = _Gunzip()
        assert zlib.crc32(b"".join(gunzip.feed(packed[:end]))) or not gunzip.whole
        assert not gunzip.whole


async def test_nothing_that_listens_is_told() -> None:
    port = free_port()
    error = await trouble(HTTPSensor("source", f"http://127.0.0.1:{port}/"))
    assert str(error) == f"GET http://127.0.0.1:{port}/: nothing listens there"


async def test_F67_a_host_that_has_no_address_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    error = await trouble(HTTPSensor("source", "http://nothing.invalid/"))
    assert str(error) == "GET http://nothing.invalid/: its host can't be found: Name or service not known"


# Retry-After


def date(offset: float) -> str:
    moment = datetime.fromtimestamp(NOW / SECOND + offset, UTC)
    return moment.strftime("%a, %d %b %Y %H:%M:%S GMT")


@pytest.mark.parametrize(
    ("said", "wait"),
    [
        ("120", 120.0),
        (" 7 ", 7.0),
        ("1000000000", LONGEST_RETRY_AFTER),
        ("9" * 18, LONGEST_RETRY_AFTER),
        ("9" * 400, None),
        ("1e9", None),
        ("0", None),
        ("-5", None),
        ("1.5", None),
        ("nan", None),
        ("\u0661\u0662", None),
        ("soon", None),
        ("", None),
        (date(90), 90.0),
        (date(-90), None),
        (date(10**7), LONGEST_RETRY_AFTER),
        ("Fri, 99 Nov 2026 99:00:00 GMT", None),
        ("Fri, 20 Nov 99999 10:00:00 GMT", None),
        ("x" * 100_000, None),
    ],
)
def test_A86_retry_after_is_bounded_and_what_makes_no_sense_is_passed_over(said: str, wait: float | None) -> None:
    assert retry_after(httpx.Headers([(b"Retry-After", said.encode())]), NOW) == wait


@pytest.mark.parametrize(("status", "said", "wait"), [(429, "30", 30), (503, "1000000000", 3600), (500, "", None)])
async def test_F67_a_server_that_asks_for_time_gets_it(status: int, said: str, wait: float | None) -> None:
    async with serving() as server:
        error = await trouble(HTTPSensor("source", server.at("/x", Reply(status=status, headers={"Retry-After": said}))))
    assert error.retry_after == wait


@given(st.binary(max_size=60))
def test_retry_after_is_total(said: bytes) -> None:
    wait = retry_after(httpx.Headers([(b"Retry-After", said)]), NOW)
    assert wait is None or 0 < wait <= LONGEST_RETRY_AFTER


# Neighbours


@pytest.mark.parametrize("act", [hang, drip, reset_in_body, flood], ids=lambda act: act.__name__)
async def test_a_failed_look_ends_and_nothing_stays_open(act: Act) -> None:
    async with serving() as server:
        await trouble(HTTPSensor("source", server.at("/x", act), timeout="100ms", largest=1000))
        await server.left()
