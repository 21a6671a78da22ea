"""Redirects: how many, where to, and what may come along."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from eventflow.errors import SensorError
from eventflow.secret import Secret
from eventflow.sensors.http.addresses import origin
from eventflow.sensors.http.endpoint import Endpoint, endpoint
from eventflow.sensors.http.failures import Unusable
from eventflow.sensors.http.fetch import Answer, Ask, Fetch
from eventflow.sensors.http.networks import Kind
from eventflow.sensors.http.redirects import Hop, following
from eventflow.sensors.http.sensor import HTTPSensor, Status
from eventflow.system import SystemClock
from tests.sensors.http.looking import look, trouble
from tests.sensors.http.server import Reply, Server, sends_on, serving
from tests.sensors.outside import Book

CANARY = "canary-7431"


def at(url: str, **options: Any) -> Endpoint:
    given = {"headers": None, "query": None, "auth": None, "timeout": "5s", "largest": "1MiB", "tls": None, **options}
    return endpoint(url, **given)


def names(**hosts: list[str]) -> Callable[[str, int], Any]:
    """Give a name server that knows these, and notes what it is asked."""

    async def resolve(host: str, port: int) -> list[str]:
        resolve.asked.append(host)  # type: ignore[attr-defined]
        return hosts[host.partition(".")[0]]

    resolve.asked = []  # type: ignore[attr-defined]
    return resolve


async def answered(where: Endpoint, resolve: Any) -> Answer:
    async with Fetch(where, SystemClock(), resolve) as fetch:
        return await fetch.answer(Ask())


async def test_redirects_on_the_same_server_are_followed_with_credentials() -> None:
    async with serving() as server:
        server.at("/b?c", Reply(b"there"))
        server.at("/b", Reply(b"there"))
        for status in (301, 302, 303, 307, 308):
            sensor = HTTPSensor("source", server.at("/a", sends_on("/b?c", status)), auth=Secret("token"), existing="fire")
            [change] = await look(sensor, Book())
            assert (change.body, change.url) == ("there", server.url + "/a")
            assert server.asked[-1].headers["authorization"] == "Bearer token"
            assert server.asked[-1].target == "/b?c"


@pytest.mark.parametrize(("hops", "ok"), [(5, True), (6, False), (20, False)])
async def test_F66_at_most_five_redirects_are_followed(hops: int, *, ok: bool) -> None:
    async with serving() as server:
        for number in range(hops):
            server.at(f"/{number}", sends_on(f"/{number + 1}"))
        server.at(f"/{hops}", Reply(b"there"))
        sensor = HTTPSensor("source", server.url + "/0")
        if ok:
            assert await look(sensor, Book()) == []
        else:
            assert "redirects more than 5 times" in str(await trouble(sensor))
            assert len(server.asked) == 6


async def test_F66_a_loop_ends() -> None:
    async with serving() as server:
        assert "redirects more than 5 times" in str(await trouble(HTTPSensor("source", server.at("/a", sends_on("/a")))))


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("file:///etc/passwd", "begins with neither http:// nor https://"),
        ("gopher://127.0.0.1/x", "begins with neither"),
        ("ftp://127.0.0.1/x", "begins with neither"),
        ("javascript:alert(1)", "begins with neither"),
        (f"http://user:{CANARY}@127.0.0.1/", "holds credentials"),
        ("http:\\\\evil/", "backslash"),
        ("http://[", "no host"),
        ("http://h:x/", "is no address"),
        ("", "without saying where to"),
        ("http://169.254.169.254/latest/meta-data/", "http://169.254.169.254, whose address is reserved"),
        ("http://10.0.0.1/", "whose address is private"),
        ("http://192.168.1.1/", "whose address is private"),
        ("http://[fd00::1]/", "whose address is private"),
        ("http://0.0.0.0/", "whose address is reserved"),
        ("http://100.64.0.1/", "whose address is reserved"),
        ("http://[64:ff9b::a9fe:a9fe]/", "whose address is reserved"),
    ],
)
async def test_F66_A70_a_redirect_to_where_none_may_lead_is_refused(location: str, said: str) -> None:
    async with serving() as server:
        error = await trouble(HTTPSensor("source", server.at("/a", sends_on(location))))
    assert said in str(error)
    assert CANARY not in str(error)
    assert len(server.asked) == 1


def answer_of(location: str) -> httpx.Response:
    return httpx.Response(302, headers={"Location": location})


@pytest.mark.parametrize("inside", [["127.0.0.1"], ["10.0.0.1"], ["169.254.169.254"], ["93.184.216.34", "::1"], []])
async def test_A70_A72_from_outside_no_redirect_leads_into_a_network_or_to_this_machine(inside: list[str]) -> None:
    with pytest.raises(Unusable, match="may not lead from outside into a network"):
        await following(Hop(httpx.URL("http://good.example/")), answer_of("http://evil.example/"), "public", names(evil=inside))


@pytest.mark.parametrize("start", ["public", "private", "loopback"])
async def test_a_redirect_may_always_lead_outside(start: Kind) -> None:
    hop = await following(Hop(httpx.URL("http://a.example/")), answer_of("https://b.example/x"), start, names(b=["93.184.216.34"]))
    assert hop == Hop(httpx.URL("https://b.example/x"), trusted=False, addresses=("93.184.216.34",))


async def test_A70_a_redirect_from_https_to_http_is_refused() -> None:
    with pytest.raises(Unusable, match="from https to http"):
        await following(Hop(httpx.URL("https://a.example/")), answer_of("http://a.example/"), "public", names(a=["93.184.216.34"]))


async def test_an_upgrade_to_https_keeps_the_credentials_but_another_port_does_not() -> None:
    resolve = names(a=["93.184.216.34"])
    start = Hop(httpx.URL("http://a.example/"))
    assert (await following(start, answer_of("https://a.example/"), "public", resolve)).trusted
    assert not (await following(start, answer_of("https://a.example:8443/"), "public", resolve)).trusted
    assert not (await following(start, answer_of("http://a.example:8080/"), "public", resolve)).trusted


async def test_credentials_left_behind_once_stay_behind() -> None:
    resolve = names(a=["93.184.216.34"], b=["93.184.216.34"])
    away = await following(Hop(httpx.URL("http://a.example/")), answer_of("http://b.example/"), "public", resolve)
    back = await following(away, answer_of("http://a.example/"), "public", resolve)
    upgraded = await following(away, answer_of("https://b.example/"), "public", resolve)
    assert [back.trusted, upgraded.trusted] == [False, False]


async def two_hosts(run: Callable[[Server, Server, int], Any]) -> None:
    async with serving() as first, serving() as second:
        await run(first, second, origin(httpx.URL(second.url))[2])


async def test_A73_credentials_and_own_headers_go_to_no_other_host() -> None:
    async def run(first: Server, second: Server, port: int) -> None:
        second.at("/b", Reply(b"there"))
        first.at("/a", sends_on(f"http://other.example:{port}/b"))
        where = at(
            first.url + "/a",
            auth=("user", Secret(CANARY)),
            headers={"X-Key": Secret(CANARY), "Cookie": CANARY},
            query={"k": Secret(CANARY)},
        )
        answer = await answered(where, names(other=["127.0.0.1"]))
        assert answer.body == b"there"
        assert CANARY in str(first.asked[0])
        [asked] = second.asked
        assert CANARY not in str(asked)
        assert "authorization" not in asked.headers
        assert asked.headers["host"] == f"other.example:{port}"

    await two_hosts(run)


async def test_A69_a_name_is_asked_for_once_and_what_was_judged_is_connected_to() -> None:
    async def run(first: Server, second: Server, port: int) -> None:
        second.at("/b", sends_on("/c"))
        second.at("/c", Reply(b"there"))
        first.at("/a", sends_on(f"http://rebound.example:{port}/b"))
        answers = [["127.0.0.1"], ["169.254.169.254"]]
        asked: list[str] = []

        async def rebinding(host: str, port: int) -> list[str]:
            asked.append(host)
            return answers[len(asked) - 1]

        answer = await answered(at(first.url + "/a"), rebinding)
        assert answer.body == b"there"
        assert asked == ["rebound.example"]
        assert len(second.asked) == 2

    await two_hosts(run)


async def test_A69_a_name_that_means_something_else_at_the_second_hop_is_judged_again() -> None:
    async def run(first: Server, second: Server, port: int) -> None:
        second.at("/b", sends_on("http://inside.example/"))
        first.at("/a", sends_on(f"http://other.example:{port}/b"))
        with pytest.raises(SensorError, match="whose address is private"):
            await answered(at(first.url + "/a"), names(other=["127.0.0.1"], inside=["10.0.0.1"]))

    await two_hosts(run)


async def test_where_the_first_address_takes_no_connection_the_next_is_tried() -> None:
    async def run(first: Server, second: Server, port: int) -> None:
        second.at("/b", Reply(b"there"))
        first.at("/a", sends_on(f"http://other.example:{port}/b"))
        assert (await answered(at(first.url + "/a"), names(other=["127.0.0.2", "127.0.0.1"]))).body == b"there"

    await two_hosts(run)


async def test_a_redirect_keeps_its_conditions() -> None:
    async with serving() as server:
        server.at("/b", Reply(b"a", headers={"ETag": '"1"'}), Reply(status=304))
        sensor = HTTPSensor("source", server.at("/a", sends_on("/b")))
        book = Book()
        await look(sensor, book)
        await look(sensor, book)
    assert server.asked[-1].headers["if-none-match"] == '"1"'


async def test_a_refused_redirect_is_down_for_a_status() -> None:
    async with serving() as server:
        sensor = HTTPSensor("source", server.at("/a", sends_on("file:///x")), change=Status(after=1), existing="fire")
        [change] = await look(sensor, Book())
    assert change.after == "down"
    assert "neither http" in change.reason
