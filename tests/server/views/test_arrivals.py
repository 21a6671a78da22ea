"""Why an event of every kind is where it is: seen, delivered, published, missed, used by a wait, refused, repeated, or only known."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from eventflow import Observation, Trigger, facts, pipeline, task, wait_for
from eventflow.durations import SECOND
from eventflow.engine.retention import RETENTION
from eventflow.facts import Unit
from eventflow.sensors.webhooks.received import Received
from eventflow.server.views import arrivals
from tests.engine.sources import Source, event, once
from tests.server.conftest import PIPELINES, words

TAKEN = "its identity is taken: the same event again fires nothing"
KEPT = "until then its identity is kept: the same event again fires nothing"


@task
async def note(what: str) -> str:
    return what


@pipeline
def paid(number: str) -> str:
    return note(wait_for("bank", subject=number, name="money").id)


class Hook(Source):
    """A sensor that takes deliveries."""

    largest = 1000

    def receive(self, headers: Iterable[tuple[bytes, bytes]], body: bytes, now: int) -> Received[Any]:
        return Received((event(str(now), [len(body), *headers], source=self.name),))


def on(sensor: Any, name: str = "on-drop") -> Trigger[Any]:
    return Trigger(name, on=sensor, run=words, params=lambda event: {"path": event.id})


async def said(api: Any, what: str) -> list[str]:
    return [sentence["text"] for sentence in (await api.get(f"/api/why/{what}"))["sentences"]]


async def first(api: Any) -> str:
    """Give the short id of the one event there is, once there is one."""
    (known,) = await api.until_at("/api/events", bool)
    return known["event"][-8:]


async def test_an_event_that_a_sensor_saw(asked) -> None:
    now = 10**15
    source = Source("source", once(Observation(events=(event("a", subject="a.txt", time=now),))))
    async with asked(sensors=[source], triggers=[on(source)]) as api:
        name = await first(api)
        (known,) = await api.get("/api/events")
        run = known["decisions"][0]["run"]
        await api.end(run)
        seen, *rest = await said(api, name)
        assert seen.startswith(f"sensor source saw event {name} (test) about a.txt, ")
        assert seen.endswith(" after it had happened")
        assert rest == [f"trigger on-drop fired run {run[-8:]}", f"run {run[-8:]} of words succeeded", TAKEN]


async def test_an_event_that_was_published_by_hand(asked) -> None:
    source = Source("source")
    async with asked(sensors=[source], triggers=[on(source)]) as api:
        told = (await api.post("/api/events", {"source": "source", "data": 1}, 201))["event"]
        known = (await api.get(f"/api/why/{told['event']}"))["sentences"]
        assert known[0]["text"] == f"event {told['event'][-8:]} (source) of source was published by hand or by a program"
        assert known[-1] == {"at": told["received_at"] + RETENTION, "text": KEPT}


async def test_an_event_of_a_source_without_a_sensor(asked) -> None:
    async with asked() as api:
        told = (await api.post("/api/events", {"source": "nobody"}, 201))["event"]["event"]
        assert await said(api, told) == [
            f"event {told[-8:]} (nobody) of nobody was published by hand or by a program",
            "no trigger listens to nobody: nothing was decided about it",
            KEPT,
        ]


async def test_an_event_that_was_delivered_to_a_hook(asked) -> None:
    async with asked(sensors=[Hook("pushes")]) as api:
        told = (await api.post("/api/events", {"source": "pushes"}, 201))["event"]["event"]
        assert (await said(api, told))[0] == f"event {told[-8:]} (pushes) was delivered to hook pushes, or published in its name"


async def test_an_event_that_was_missed(asked) -> None:
    source = Source("nightly", once(Observation(missed=(event("t1", source="nightly"),))))
    async with asked(sensors=[source], triggers=[on(source)]) as api:
        told = await said(api, await first(api))
        passed = "trigger on-drop passed it over: it was due while nobody looked, and its sensor's catch-up leaves it out"
        assert told[1:] == [passed, TAKEN]


async def test_an_event_that_ended_waits_names_them(asked) -> None:
    async with asked(pipelines=(*PIPELINES, paid)) as api:
        runs = [await api.submit("paid", number="7") for _ in range(2)]
        for run in runs:
            await api.until(run, lambda known: known["run"]["state"] == "suspended")
        told = (await api.post("/api/events", {"source": "bank", "subject": "7"}, 201))["event"]["event"]
        for run in runs:
            await api.end(run)
        story = await said(api, told)
        assert sorted(story[1:3]) == sorted(f"it ended the wait of money in run {run[-8:]}" for run in runs)
        assert story[3:] == ["no trigger listens to bank: it fired no run", KEPT]


async def test_of_many_ended_waits_only_some_are_named(asked, monkeypatch) -> None:
    monkeypatch.setattr(arrivals, "_MOST_WAITS", 1)
    async with asked(pipelines=(*PIPELINES, paid)) as api:
        runs = [await api.submit("paid", number="7") for _ in range(2)]
        for run in runs:
            await api.until(run, lambda known: known["run"]["state"] == "suspended")
        told = (await api.post("/api/events", {"source": "bank", "subject": "7"}, 201))["event"]["event"]
        for run in runs:
            await api.end(run)
        assert "it ended more waits than these" in await said(api, told)


async def test_an_event_that_a_trigger_refused_says_why_without_credentials(asked) -> None:
    source = Source("source", once(Observation(events=(event("a"),))))

    def fails(event: Any) -> dict[str, object]:
        raise KeyError(f"{event.id} of https://ada:secret@shop.example")

    async with asked(sensors=[source], triggers=[Trigger("on-drop", on=source, run=words, params=fails)]) as api:
        told = (await said(api, await first(api)))[1]
        assert told.startswith("trigger on-drop could make no run of it: KeyError: ")
        assert "secret" not in told


async def test_a_credential_in_a_recorded_reason_is_not_shown(asked) -> None:
    async with asked() as api:
        name = await api.event(7, "refused", reason="no answer from https://ada:secret@shop.example")
        assert (await said(api, name))[1].endswith(": no answer from https://***@shop.example")
        assert "secret" not in (await api.http.get("/api/events")).text


async def test_a_trigger_that_came_later_was_not_asked(asked) -> None:
    source = Source("inbox")
    async with asked(sensors=[source], triggers=[on(source), on(source, "newer")]) as api:
        name = await api.event(0x12345678, "filtered")
        assert (await said(api, name))[1:] == [
            "trigger on-drop passed it over: its `where` said no",
            "trigger newer wasn't asked about it: it wasn't in the code when it came",
            TAKEN,
        ]


async def test_the_identity_of_an_event_is_kept_and_then_free_again(asked) -> None:
    async with asked() as api:
        name, journal = await api.event(1), api.engine.ports.journal
        await journal.commit(Unit(5 * SECOND, (facts.IdentitiesForgotten("inbox", ("file-1",)),)))
        assert (await api.get(f"/api/why/{name}"))["sentences"][-1] == {"at": 5 * SECOND + RETENTION, "text": KEPT}
        assert (await said(api, name))[0].startswith("sensor inbox saw ")
        await journal.commit(Unit(6 * SECOND, (facts.IdentitiesExpired("inbox", ("file-1",)),)))
        assert (await said(api, name))[-1] == "its identity is free again: the same event would be a new one"


async def test_an_event_is_named_by_its_source_and_its_id_there(asked) -> None:
    async with asked() as api:
        name = await api.event(0x12345678)
        assert await said(api, "inbox/file-305419896") == await said(api, name)
        assert (await api.get("/api/why/inbox/file-305419896"))["event"]["event"] == name
        assert "nothing is known of 'other' of inbox" in (await api.get("/api/why/inbox/other", 404))["error"]
        assert "nothing is known of 'file-305419896' of outbox" in (await api.get("/api/why/outbox/file-305419896", 404))["error"]


async def test_an_id_with_slashes_and_strange_letters_is_one_id(asked) -> None:
    source = Source("source", once(Observation(events=(event("a/b?c d"),))))
    async with asked(sensors=[source]) as api:
        name = await first(api)
        assert (await said(api, "source/a%2Fb%3Fc%20d"))[0].startswith(f"sensor source saw event {name}")


async def test_an_identity_without_an_event_is_explained(asked) -> None:
    async with asked() as api:
        journal = api.engine.ports.journal
        await journal.commit(Unit(1, (facts.IdentitiesKnown("rows", ("old", *map(str, range(20)))),)))
        await journal.commit(Unit(2, (facts.IdentitiesCompacted("rows", 0, 0, 19),)))
        (told,) = await said(api, "rows/old")
        assert told.startswith("'old' of rows was there before its sensor's first look")
        assert (await api.get("/api/why/rows/old"))["event"] is None
        (told,) = await said(api, "rows/7")
        assert told == "'7' of rows is taken, as are all from 0 to 19: `eventflow events --sensor rows` lists its events"
        await api.get("/api/why/rows/20", 404)


@pytest.mark.parametrize("outcome", ["filtered", "refused"])
async def test_without_a_daemon_an_event_tells_the_same_but_for_who_delivers(asked, reading, outcome) -> None:
    async with asked(sensors=[Source("inbox")]) as api:
        name = await api.event(7, outcome, reason="it is old")
        async with reading(api.engine) as read:
            assert await said(read, name) == await said(api, name)
