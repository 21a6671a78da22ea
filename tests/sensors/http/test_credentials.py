"""How one is let in, and that nobody else ever sees how."""

from __future__ import annotations

import ast
import base64
import logging
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from eventflow.secret import Secret, without_secrets
from eventflow.sensors import http
from eventflow.sensors.http.sensor import Header, HTTPSensor, Items, Status, Value
from eventflow.sensors.http.stream import StreamSensor
from tests.sensors.http.looking import look, trouble
from tests.sensors.http.server import Reply, as_json, chunks, free_port, reset_in_body, sends_on, serving, short
from tests.sensors.outside import Book

CANARY = "canary-7431"


@pytest.mark.parametrize("password", ["pass:word", Secret("pass:word")])
async def test_a_user_and_a_password(password: str | Secret) -> None:
    async with serving() as server:
        await look(HTTPSensor("source", server.at("/x", Reply(b"a")), auth=("ada", password)), Book())
    assert server.asked[0].headers["authorization"] == f"Basic {base64.b64encode(b'ada:pass:word').decode()}"


async def test_a_bearer_token_headers_and_query() -> None:
    async with serving() as server:
        server.at("/x", Reply(b"a"))
        sensor = HTTPSensor(
            "source",
            f"{server.url}/x?a=b%20c",
            auth=Secret("t"),
            headers={"X-Key": Secret("k"), "Accept": "text/csv"},
            query={"key": Secret("q&r")},
        )
        await look(sensor, Book())
    [asked] = server.asked
    assert asked.headers["authorization"] == "Bearer t"
    assert asked.headers["x-key"] == "k"
    assert asked.headers["accept"] == "text/csv"
    assert httpx.URL(server.url + asked.target).params.multi_items() == [("a", "b c"), ("key", "q&r")]


class Login(httpx.Auth):
    """Fetches a token first, from an answer's body."""

    requires_response_body = True

    def __init__(self, url: str) -> None:
        self._url = url

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        answer = yield httpx.Request("POST", self._url, json={"user": "ada"})
        request.headers["Authorization"] = f"Bearer {answer.json()['token']}"
        yield request


async def test_an_authentication_of_ones_own_may_ask_first() -> None:
    async with serving() as server:
        server.at("/x", Reply(b"a"))
        login = server.at("/login", as_json({"token": "fresh"}))
        await look(HTTPSensor("source", server.url + "/x", auth=Login(login)), Book())
    assert [asked.path for asked in server.asked] == ["/login", "/x"]
    assert server.asked[1].headers["authorization"] == "Bearer fresh"


async def test_what_it_asks_for_is_limited_like_everything_else() -> None:
    async with serving() as server:
        login = server.at("/login", Reply(b"x" * 5000))
        error = await trouble(HTTPSensor("source", server.url + "/x", auth=Login(login), largest=1000))
    assert "larger than 1000 bytes" in str(error)


class Own(httpx.Auth):
    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        response = yield request
        assert response.status_code == 401
        request.headers["Authorization"] = "second try"
        yield request


async def test_an_asynchronous_authentication_of_ones_own_works_too() -> None:
    async with serving() as server:
        await look(HTTPSensor("source", server.at("/x", Reply(status=401), Reply(b"a")), auth=Own()), Book())
    assert [asked.headers.get("authorization") for asked in server.asked] == [None, "second try"]


async def test_digest_authentication() -> None:
    def told(asked: Any) -> Reply:
        if "response=" in asked.headers.get("authorization", ""):
            return Reply(b"in")
        return Reply(status=401, headers={"WWW-Authenticate": 'Digest realm="r", nonce="n", qop="auth"'})

    async with serving() as server:
        sensor = HTTPSensor("source", server.at("/x", told), auth=httpx.DigestAuth("ada", "secret"), existing="fire")
        assert [change.body for change in await look(sensor, Book())] == ["in"]


async def test_cookies_are_not_kept() -> None:
    async with serving() as server:
        sensor = HTTPSensor("source", server.at("/x", Reply(b"a", headers={"Set-Cookie": "a=b"})), every="100ms")
        await look(sensor, Book(), observations=2)
    assert all("cookie" not in asked.headers for asked in server.asked)


async def test_proxies_and_logins_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "https_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login ada password canary\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    async with serving() as server:
        await look(HTTPSensor("source", server.at("/x", Reply(b"a"))), Book())
    assert "authorization" not in server.asked[0].headers


SECRETS = {
    "auth": ("ada", Secret(CANARY)),
    "headers": {"X-Key": Secret(CANARY)},
    "query": {"code": Secret(CANARY), "token": CANARY},
}

ENCODED = [CANARY, base64.b64encode(f"ada:{CANARY}".encode()).decode(), CANARY.encode().hex()]


@pytest.mark.parametrize(
    "told",
    [
        [as_json({"n": 1, "items": [{"id": 1}]}), as_json({"n": 2, "items": [{"id": 2}]})],
        [reset_in_body],
        [short],
        [Reply(status=403)],
        [sends_on(f"http://10.0.0.1/{CANARY}?x={CANARY}")],
        [sends_on(f"file:///{CANARY}")],
        [as_json({"n": {}, "items": 5})],
    ],
    ids=["good", "reset", "short", "refused", "inside", "file", "odd"],
)
@pytest.mark.parametrize(
    "change", [Value("n"), Items("items"), Header("X", confirm=False), Status(after=1)], ids=lambda change: type(change).__name__
)
async def test_A75_no_credential_gets_into_an_event_a_cursor_an_error_or_a_log(
    change: Any, told: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    book, said = Book(), ""
    async with serving() as server:
        server.at("/x", *told)
        sensor = HTTPSensor("source", f"{server.url}/x?api_key={CANARY}", change=change, existing="fire", every="100ms", **SECRETS)
        try:
            await look(sensor, book, observations=4)
        except Exception as error:  # noqa: BLE001 - whatever it is, it may tell nothing
            said = f"{error!s} {error!r}"
        assert CANARY in str(server.asked)
    seen = [said, repr(sensor), str(sensor._options), sensor.in_words(book.cursor), caplog.text]
    seen += [msgspec.json.encode(one).decode() for one in (book.events, book.cursor)]
    assert [text for text in seen if any(form in text for form in ENCODED)] == []


async def test_A75_not_in_a_stream_either_nor_anywhere_at_the_loudest_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    book = Book()
    async with serving() as server:
        server.at("/s", chunks(b"id: 1\ndata: {}\n\n"))
        sensor = StreamSensor("source", f"{server.url}/s?api_key={CANARY}", **SECRETS)
        await look(sensor, book, observations=2)
        assert CANARY in str(server.asked)
    seen = [repr(sensor), str(sensor._options), caplog.text, msgspec.json.encode([book.events, book.cursor]).decode()]
    assert [text for text in seen if any(form in text for form in ENCODED)] == []
    assert book.ids == ["1"]


def test_no_message_of_ours_looks_as_if_it_held_a_credential() -> None:
    texts = [
        "".join(
            str(part.value) if isinstance(part, ast.Constant) else "x"
            for part in (node.values if isinstance(node, ast.JoinedStr) else [node])
        )
        for module in Path(str(http.__file__)).parent.glob("*.py")
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))
    ]
    assert len(texts) > 300
    assert [text for text in texts if without_secrets(text) != text] == []


async def test_A74_a_token_with_a_line_break_is_refused_without_telling_it() -> None:
    for options in ({"auth": Secret(f"{CANARY}\n")}, {"headers": {"X-Key": Secret(f"a\r\nX: {CANARY}")}}):
        with pytest.raises(Exception, match="line break") as caught:
            HTTPSensor("source", "http://h/", **options)
        assert CANARY not in str(caught.value)
