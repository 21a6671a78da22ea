"""Events over HTTP: published by hand, and listed by what was decided about them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from eventflow import Observation, Trigger, facts, pipeline, task, wait_for
from eventflow.facts import Unit
from eventflow.ports import Seen
from eventflow.ports import World as Outside
from eventflow.server.statuses import STATUSES, error_of
from eventflow.server.views import search
from eventflow.system import SystemRandom
from tests.engine.sources import Source
from tests.server.conftest import PIPELINES, words


@dataclass(frozen=True)
class Drop:
    """What files carry, as triggers' functions want it: with a true path, and a size that is never negative."""

    path: Path
    size: int = 0
    name: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if self.size < 0:
            raise ArithmeticError("a size below nothing")


class Drops(Source):
    """A sensor that tells what its events carry."""

    async def _nothing(self) -> AsyncGenerator[Observation[Drop], None]:
        yield Observation()
        await anyio.sleep_forever()

    def observe(self, cursor: object, seen: Seen, world: Outside) -> AsyncGenerator[Observation[Drop], None]:  # noqa: ARG002
        return self._nothing()


def on(sensor: Any, name: str = "on-drop", where: Any = None) -> Trigger[Any]:
    return Trigger(name, on=sensor, run=words, where=where, params=lambda event: {"path": event.data.path.with_suffix(".csv")})


@task
async def note(what: str) -> str:
    return what


@pipeline
def paid(number: str) -> str:
    return note(wait_for("bank", subject=number).id)


DROPS = Drops("inbox")


# Publishing


async def test_a_published_event_is_durable_with_its_runs_and_the_same_again_is_a_duplicate(asked) -> None:
    async with asked(sensors=[DROPS], triggers=[on(DROPS)]) as api:
        wanted = {"source": "inbox", "id": "f1", "type": "file", "subject": "a.txt", "time": 7, "data": {"path": "a.txt", "size": 3}}
        first = await api.post("/api/events", wanted, 201)
        (run,) = first["runs"]
        assert (first["duplicate"], first["note"]) == (False, None)
        known = first["event"]
        assert [known[name] for name in ("source", "id", "type", "subject", "time")] == ["inbox", "f1", "file", "a.txt", 7]
        assert [(one["trigger"], one["outcome"], one["run"]) for one in known["decisions"]] == [("on-drop", "fired", run)]
        await api.end(run)
        assert (await api.get(f"/api/runs/{run}"))["arguments"]["path"] == {"$path": "a.csv"}
        again = await api.post("/api/events", wanted, 200)
        assert again == {**first, "duplicate": True}
        assert len(await api.get("/api/runs")) == 1


async def test_the_same_id_with_another_content_is_a_conflict_and_records_nothing(asked) -> None:
    async with asked(sensors=[DROPS], triggers=[on(DROPS)]) as api:
        await api.post("/api/events", {"source": "inbox", "id": "f1", "data": {"path": "a"}}, 201)
        seq = api.engine.ports.journal.seq
        said = (await api.post("/api/events", {"source": "inbox", "id": "f1", "data": {"path": "b"}}, 409))["error"]
        assert "event 'f1' of inbox is known with another content" in said
        assert len(await api.get("/api/events")) == 1
        assert api.engine.ports.journal.seq == seq or len(await api.get("/api/runs")) == 1


async def test_an_event_without_more_than_a_source_gets_an_id_a_type_and_a_time(asked) -> None:
    async with asked(sensors=[Source("inbox")]) as api:
        first, second = [(await api.post("/api/events", {"source": "inbox"}, 201))["event"] for _ in range(2)]
        assert first["id"] != second["id"]
        assert first["type"] == "inbox"
        assert 0 <= first["received_at"] - first["time"] < 60_000_000
        assert (await api.get(f"/api/events/{first['event']}"))["data"] is None


async def test_typed_fields_are_read_as_the_sensors_data_wants_them(asked) -> None:
    async with asked(sensors=[DROPS, Source("plain")], triggers=[on(DROPS)]) as api:
        told = await api.post("/api/events", {"source": "inbox", "texts": {"path": "3", "size": "3", "name": "3"}}, 201)
        assert (await api.get(f"/api/events/{told['event']['event']}"))["data"] == {"path": {"$path": "3"}, "size": 3, "name": "3"}
        told = await api.post("/api/events", {"source": "plain", "texts": {"a": "3", "b": "[1]", "c": "x y", "d": "01"}}, 201)
        assert (await api.get(f"/api/events/{told['event']['event']}"))["data"] == {"a": 3, "b": [1], "c": "x y", "d": "01"}


@pytest.mark.parametrize(
    ("wanted", "status", "said"),
    [
        ({"source": "inbox"}, 422, "the data is no Drop, which events of inbox carry: "),
        ({"source": "inbox", "data": {"size": 3}}, 422, "missing required field `path`"),
        ({"source": "inbox", "data": {"path": "a", "size": "x"}}, 422, "$.size"),
        ({"source": "inbox", "data": {"path": "a", "size": -1}}, 422, "a size below nothing"),
        ({"source": "inbox", "data": {"path": "a"}, "texts": {"path": "a"}}, 400, "not both"),
        ({"source": "../x", "data": 1}, 400, "can't name a source of events"),
        ({"source": "plain", "id": ""}, 400, "an event needs an id of its own"),
        ({"source": "plain", "time": 2**63}, 400, "the body is not the JSON that belongs here"),
        ({"source": "plain", "time": 253_402_300_800_000_000}, 400, "the body is not the JSON that belongs here"),
        ({"source": "plain", "when": 3}, 400, "unknown field"),
        ({}, 400, "missing required field `source`"),
        (b'{"source":"plain","data":"\\ud800"}', 400, "the body is not the JSON that belongs here"),
        (b'{"source":"plain","data":NaN}', 400, "the body is not the JSON that belongs here"),
        (b'{"source":"plain","data":' + b"[" * 100_000, 400, "the body is not the JSON that belongs here"),
    ],
)
async def test_what_is_no_event_of_its_source_is_refused_plainly_and_leaves_nothing(asked, wanted, status, said) -> None:
    async with asked(sensors=[DROPS, Source("plain")], triggers=[on(DROPS)]) as api:
        assert said in (await api.post("/api/events", wanted, status))["error"]
        assert await api.get("/api/events") == []


async def test_a_source_that_nobody_knows_is_named_as_a_possible_typo(asked) -> None:
    async with asked(sensors=[DROPS, Source("quiet")], triggers=[on(DROPS)]) as api:
        told = await api.post("/api/events", {"source": "inbx", "data": 1}, 201)
        assert told["note"] == "no trigger listens to 'inbx', and no sensor bears that name: there is inbox, quiet"
        assert (told["runs"], told["event"]["decisions"]) == ([], [])
        told = await api.post("/api/events", {"source": "quiet"}, 201)
        assert told["note"] == "no trigger listens to quiet: nothing is decided about its events"


async def test_a_source_that_a_run_waits_for_is_no_typo(asked) -> None:
    async with asked(pipelines=(*PIPELINES, paid)) as api:
        run = await api.submit("paid", number="7")
        await api.until(run, lambda known: known["run"]["state"] == "suspended")
        told = await api.post("/api/events", {"source": "bank", "id": "b1", "subject": "7"}, 201)
        assert told["note"] is None
        await api.end(run)
        assert (await api.get(f"/api/runs/{run}"))["result"]["json"] == "b1"


async def test_an_event_that_a_trigger_refuses_says_so_and_why(asked) -> None:
    def raises(event: Any) -> bool:
        raise KeyError(f"{event.id} at https://ada:secret@shop.example")

    async with asked(sensors=[DROPS], triggers=[on(DROPS, where=raises)]) as api:
        told = await api.post("/api/events", {"source": "inbox", "data": {"path": "a"}}, 201)
        (decision,) = told["event"]["decisions"]
        assert decision["outcome"] == "refused"
        assert "https://***@shop.example" in decision["reason"]


async def test_what_was_only_known_is_a_duplicate_without_an_event(asked) -> None:
    async with asked(sensors=[Source("inbox")]) as api:
        await api.engine.ports.journal.commit(Unit(1, (facts.IdentitiesKnown("inbox", ("old",)),)))
        told = await api.post("/api/events", {"source": "inbox", "id": "old"}, 200)
        assert (told["event"], told["runs"], told["duplicate"]) == (None, [], True)


async def test_nothing_is_published_without_a_daemon(asked, reading) -> None:
    async with asked() as api, reading(api.engine) as read:
        assert "`eventflow serve`" in (await read.post("/api/events", {"source": "inbox"}, 501))["error"]


def test_each_status_stands_for_one_class_of_errors() -> None:
    assert len(set(STATUSES.values())) == len(STATUSES)
    assert all(error_of(status) is kind for kind, status in STATUSES.items())


# Listing by decision


async def commit(api: Any, decided: list[tuple[str, list[str]]]) -> list[str]:
    """Commit events, each of a source and with some decisions, and give their ids."""
    names: list[str] = []
    for source, outcomes in decided:
        names.append(f"{api.engine.ports.journal.seq + 1:032x}")
        event = facts.EventRecorded(names[-1], source, names[-1], "t", 1, msgspec.Raw(b"1"))
        made = (facts.DecisionMade(names[-1], f"t{number}", outcome) for number, outcome in enumerate(outcomes))
        await api.engine.ports.journal.commit(Unit(1, (event, *made)))
    return names


async def pages(api: Any, limit: int, **query: object) -> list[list[str]]:
    """Give the ids of the events of each page, as long as there are pages."""
    found: list[list[str]] = []
    while page := await api.get("/api/events", limit=limit, **query):
        found.append([one["event"] for one in page])
        query["before"] = page[-1]["seq"]
    return found


async def test_events_are_asked_for_by_decision_each_once_and_page_by_page(asked) -> None:
    async with asked() as api:
        names = await commit(
            api,
            [
                ("inbox", ["fired"]),
                ("inbox", ["refused", "refused", "refused"]),
                ("other", ["filtered", "refused"]),
                ("inbox", []),
                ("inbox", ["filtered"]),
                ("inbox", ["fired", "refused"]),
            ],
        )
        refused = [names[5], names[2], names[1]]
        assert await pages(api, 50, decision="refused") == [refused]
        assert await pages(api, 2, decision="refused") == [refused[:2], refused[2:]]
        assert await pages(api, 1, decision="refused") == [[one] for one in refused]
        assert await pages(api, 1, decision="refused", source="inbox") == [[names[5]], [names[1]]]
        assert await pages(api, 9, decision="filtered", source="other") == [[names[2]]]
        assert await pages(api, 9, decision="fired", source="nowhere") == []
        assert "'done' is no decision: there is filtered, fired, refused" in (await api.get("/api/events", 400, decision="done"))["error"]
        assert "decision takes one word" in (await api.get("/api/events", 400, decision="fired,refused"))["error"]


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
async def test_pages_by_decision_have_every_event_once_in_order(asked, limit) -> None:
    random = SystemRandom()
    outcomes = ["fired", "filtered", "refused"]
    history = [(f"s{random.bits(1)}", [outcomes[random.bits(8) % 3] for _ in range(random.bits(2))]) for _ in range(60)]
    async with asked() as api:
        names = await commit(api, history)
        for outcome in outcomes:
            for source in (None, "s0", "s1"):
                wanted = [name for name, (of, made) in zip(names, history, strict=True) if outcome in made and source in (None, of)]
                asked_for = {"decision": outcome} if source is None else {"decision": outcome, "source": source}
                found = await pages(api, limit, **asked_for)
                assert [name for page in found for name in page] == wanted[::-1], history
                assert all(len(page) == limit for page in found[:-1])


async def test_a_decision_that_is_rare_among_the_events_of_a_source_is_found_in_few_questions(asked) -> None:
    async with asked() as api:
        quiet = [("other", ["refused"]), *[("inbox", ["fired"])] * 40]
        names = await commit(api, [("inbox", ["refused"]), *quiet, *quiet, ("inbox", ["refused"])])
        journal = Counted(api.engine.ports.journal)
        rows = await search.decided(journal, "refused", source="inbox", limit=2, before=None)
        assert [row.event for row in rows] == [names[-1], names[0]]
        assert journal.asked < 15


class Counted:
    """A journal that counts what is asked of it."""

    def __init__(self, journal: Any) -> None:
        self._journal = journal
        self.asked = 0

    def __getattr__(self, name: str) -> Any:
        self.asked += name == "select"
        return getattr(self._journal, name)
