"""Sensors over HTTP: how they are, where they stand, and what can be done to them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import msgspec
import pytest

from eventflow import Observation, Trigger, facts
from eventflow.facts import Unit
from eventflow.ports import Seen
from eventflow.ports import World as Outside
from eventflow.server.views import sensors as views
from tests.engine.sources import Source, event, once, seeing
from tests.server.conftest import words


@dataclass(frozen=True)
class Order:
    number: int
    path: Path | None = None


class Orders:
    """A sensor that tells all that can be told, and yields orders with a cursor."""

    interval = 90.0
    place = "sensors/orders.py:7"

    def __init__(self, name: str = "orders", *observations: Observation[Any]) -> None:
        self.name = name
        self._observations = observations

    def __repr__(self) -> str:
        return f"<Orders {self.name!r}: https://ada:secret@shop.example/orders?token=secret>"

    async def observe(self, cursor: object, seen: Seen, world: Outside) -> AsyncGenerator[Observation[Order], None]:  # noqa: ARG002
        for observation in self._observations:
            yield observation
        await anyio.sleep_forever()

    def in_words(self, cursor: object) -> str:
        return f"up to order {cursor} at https://ada:secret@shop.example"

    def upcoming(self, after: datetime, count: int) -> list[datetime]:
        return [after.astimezone(UTC) + timedelta(minutes=number) for number in range(count)]


class Broken(Source):
    """A sensor whose words about itself raise."""

    def __repr__(self) -> str:
        raise ValueError("no repr")

    def in_words(self, cursor: object) -> str:
        raise ValueError(f"no words for {cursor}")

    def upcoming(self, after: datetime, count: int) -> list[datetime]:
        raise ValueError(f"no {count} ticks behind {after}")


def on(sensor: Any, name: str = "on-order") -> Trigger[Any]:
    return Trigger(name, on=sensor, run=words, params=lambda event: {"path": event.id})


def healthy(known: Any) -> bool:
    return all(one["state"] == "healthy" for one in known)


async def test_every_sensor_is_listed_with_health_last_event_lag_and_cursor(asked) -> None:
    orders = Orders("orders", Observation(events=(event("o1", Order(1), source="orders", time=5),), cursor=1))
    async with asked(sensors=[orders, Source("quiet")], triggers=[on(orders)]) as api:
        first, quiet = await api.until_at("/api/sensors", healthy)
        assert (first["sensor"], first["kind"], first["state"], first["reason"]) == ("orders", "Orders", "healthy", None)
        assert first["since"] is not None
        assert first["last"]["id"] == "o1"
        assert first["lag"] == first["last"]["received_at"] - 5
        assert first["looked_at"] >= first["last"]["received_at"]
        assert first["cursor"].startswith("up to order 1 at ")
        assert (quiet["sensor"], quiet["last"], quiet["lag"], quiet["cursor"]) == ("quiet", None, None, None)


async def test_a_sensor_that_has_never_looked_is_listed_as_starting(asked) -> None:
    async def never(cursor: object, seen: Seen) -> AsyncGenerator[Observation[Any]]:
        await anyio.sleep_forever()
        yield Observation()

    async with asked(sensors=[Source("never", never)]) as api:
        (known,) = await api.get("/api/sensors")
        assert (known["state"], known["since"], known["looked_at"], known["kind"]) == ("starting", None, None, "Source")


async def test_a_sensor_that_fails_says_why_without_its_credentials(asked) -> None:
    async def fails(cursor: object, seen: Seen) -> AsyncGenerator[Observation[Any]]:
        raise OSError("can't reach https://ada:secret@shop.example?token=secret")
        yield Observation()

    async with asked(sensors=[Source("shop", fails)]) as api:
        (known,) = await api.until_at("/api/sensors", lambda known: known[0]["state"] == "degraded")
        assert known["reason"].startswith("OSError: can't reach https://***@shop.example?token=*** (")
        assert (await api.get("/api/health"))["sensors"] == [
            {name: known[name] for name in ("sensor", "state", "since", "reason")},
        ]


async def test_one_sensor_is_shown_with_options_triggers_events_ticks_and_identities(asked) -> None:
    seen = tuple(event(f"o{number}", Order(number), source="orders") for number in range(12))
    orders = Orders("orders", Observation(events=seen, cursor=12, known=("old",)))
    async with asked(sensors=[orders], triggers=[on(orders), on(orders, "audit")]) as api:
        await api.until_at("/api/sensors", healthy)
        known = await api.get("/api/sensors/orders")
        assert known["sensor"] == (await api.get("/api/sensors"))[0]
        assert known["shown"] == "<Orders 'orders': https://***@shop.example/orders?token=***>"
        assert (known["where"], known["interval"], known["identities"], known["has_more"]) == ("sensors/orders.py:7", 90.0, 13, False)
        assert [(one["trigger"], one["pipeline"]) for one in known["triggers"]] == [("on-order", "words"), ("audit", "words")]
        assert [one["id"] for one in known["events"]] == [f"o{number}" for number in range(11, 1, -1)]
        assert {one["outcome"] for one in known["events"][0]["decisions"]} == {"fired"}
        assert known["data"]["$defs"]["Order"]["properties"]["number"] == {"type": "integer"}
        assert [later - known["ticks"][0] for later in known["ticks"]] == [minute * 60_000_000 for minute in range(5)]


async def test_no_answer_about_a_sensor_holds_a_credential(asked) -> None:
    orders = Orders("orders", Observation(cursor=1))
    async with asked(sensors=[orders]) as api:
        await api.until_at("/api/sensors", healthy)
        await api.post("/api/sensors/orders/pause", {"reason": "https://ada:secret@shop.example is down"})
        for address in ("/api/sensors", "/api/sensors/orders", "/api/health"):
            assert "***" in (answer := (await api.http.get(address)).text)
            assert "secret" not in answer


async def test_a_sensor_that_cannot_speak_of_itself_is_shown_all_the_same(asked) -> None:
    async with asked(sensors=[Broken("source", once(seeing("a", cursor={"at": "x" * 500})))]) as api:
        await api.until_at("/api/sensors", healthy)
        known = await api.get("/api/sensors/source")
        assert (known["shown"], known["ticks"], known["where"], known["data"]) == (None, [], None, None)
        assert known["sensor"]["cursor"].startswith('{"at":"xxx')
        assert len(known["sensor"]["cursor"]) < 130


async def test_identities_in_ranges_are_counted_and_many_only_up_to_a_limit(asked, monkeypatch) -> None:
    monkeypatch.setattr(views, "MOST_IDENTITIES", 3)
    async with asked(sensors=[Source("rows")]) as api:
        journal = api.engine.ports.journal
        await journal.commit(Unit(1, (facts.IdentitiesKnown("rows", ("a", "b", "1", "2", "3")),)))
        await journal.commit(Unit(2, (facts.IdentitiesCompacted("rows", 1, 1, 3),)))
        known = await api.get("/api/sensors/rows")
        assert (known["identities"], known["has_more"]) == (5, False)
        await journal.commit(Unit(3, (facts.IdentitiesKnown("rows", ("c", "d")),)))
        known = await api.get("/api/sensors/rows")
        assert (known["identities"], known["has_more"]) == (6, True)


async def test_a_sensor_is_paused_resumed_and_poked(asked) -> None:
    source = Source("source", once(seeing(cursor=1)))
    async with asked(sensors=[source]) as api:
        await api.until_at("/api/sensors", healthy)
        paused = await api.post("/api/sensors/source/pause", {"reason": "the shop is closed"})
        assert (paused["state"], paused["reason"]) == ("paused", "the shop is closed")
        assert (await api.post("/api/sensors/source/poke"))["state"] == "paused"
        assert (await api.post("/api/sensors/source/resume"))["state"] in ("starting", "healthy")
        await api.until_at("/api/sensors", healthy)
        looks = len(source.cursors)
        await api.post("/api/sensors/source/poke")
        while len(source.cursors) == looks:
            await anyio.lowlevel.checkpoint()
        assert (await api.post("/api/sensors/source/pause"))["reason"] == "asked for"


@pytest.mark.parametrize("name", ["sorce", "..%2f..", "a" * 5000, "%00"])
async def test_a_sensor_that_is_not_there_names_those_that_are(asked, name) -> None:
    async with asked(sensors=[Source("source"), Source("other")]) as api:
        for answer in (
            await api.http.get(f"/api/sensors/{name}"),
            *[await api.http.post(f"/api/sensors/{name}/{what}") for what in ("pause", "resume", "poke")],
        ):
            assert answer.status_code == 404
            assert len(answer.text) < 300
        if name == "sorce":
            assert (await api.get("/api/sensors/sorce", 404))["error"] == "there is no sensor 'sorce': there is other, source"


async def test_a_sensor_that_the_code_no_longer_has_is_not_listed(asked) -> None:
    async with asked(sensors=[Source("source")]) as api:
        await api.engine.ports.journal.commit(Unit(1, (facts.SensorChanged("gone", "degraded", "old"),)))
        assert [one["sensor"] for one in await api.get("/api/sensors")] == ["source"]
        await api.get("/api/sensors/gone", 404)


async def test_without_a_daemon_sensors_are_told_from_the_journal_alone(asked, reading) -> None:
    orders = Orders("orders", Observation(events=(event("o1", Order(1), source="orders"),), cursor={"page": 3}))
    async with asked(sensors=[orders, Source("quiet")]) as api:
        await api.until_at("/api/sensors", healthy)
        live = await api.get("/api/sensors/orders")
        async with reading(api.engine) as read:
            first, quiet = await read.get("/api/sensors")
            assert first["cursor"] == '{"page":3}'
            assert (first["kind"], first["looked_at"], first["state"]) == (None, None, "healthy")
            assert (first["last"], first["since"]) == (live["sensor"]["last"], live["sensor"]["since"])
            assert quiet["sensor"] == "quiet"
            known = await read.get("/api/sensors/orders")
            assert (known["sensor"], known["events"], known["identities"]) == (first, live["events"], 1)
            assert (known["shown"], known["triggers"], known["data"], known["ticks"]) == (None, [], None, [])
            assert (await read.get("/api/sensors/sorce", 404))["error"] == "there is no sensor 'sorce': there is orders, quiet"
            for what in ("pause", "resume", "poke"):
                assert "`eventflow serve`" in (await read.post(f"/api/sensors/orders/{what}", status=501))["error"]


async def test_wishes_about_sensors_with_unknown_words_are_refused(asked) -> None:
    async with asked(sensors=[Source("source")]) as api:
        assert "the body is not the JSON" in (await api.post("/api/sensors/source/pause", {"why": "a"}, 400))["error"]
        assert "is no parameter" in (await api.get("/api/sensors", 400, state="x"))["error"]
        assert "is no parameter" in (await api.get("/api/sensors/source", 400, limit=3))["error"]
        assert msgspec.json.decode((await api.http.post("/api/sensors/source/poke?x=1")).content)["error"].startswith("'x' is no parameter")
