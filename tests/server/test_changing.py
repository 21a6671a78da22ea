"""What a person can do to runs and pipelines over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum
from typing import Any

import pytest

from eventflow import approval, each, pipeline, task
from eventflow.facts import RunHeld, Unit


class Stage(Enum):
    TEST = "test"
    LIVE = "live"


gates: dict[str, asyncio.Event] = {}
broken: set[int] = set()


@task
async def build(version: int) -> int:
    return version


@task
async def deploy(version: int, stage: Stage) -> str:
    return f"{version} to {stage.value}"


@pipeline
def ship(version: int = 1) -> str:
    built = build(version)
    return deploy(built, approval("Where to?", form=Stage, who=["ada", "bob"], show=built))


@task
async def hold(name: str) -> str:
    await gates[name].wait()
    return name


@task
async def follow(name: str) -> str:
    return name


@pipeline
def steps(name: str) -> str:
    return follow(hold(name))


@task
async def square(number: int) -> int:
    if number in broken:
        raise ValueError(f"{number} is broken")
    return number * number


@task
async def total(numbers: list[int]) -> int:
    return sum(numbers)


@pipeline
def squares(numbers: list[int]) -> int:
    return total(square.map(number=each(numbers)))


PIPELINES = (ship, steps, squares)


@pytest.fixture
def gate() -> Callable[[str], asyncio.Event]:
    def new(name: str) -> asyncio.Event:
        gates[name] = asyncio.Event()
        return gates[name]

    return new


@pytest.fixture
def with_broken() -> Any:
    yield broken
    broken.clear()


def states(known: Any) -> dict[str, str]:
    return {node["node"]: node["state"] for node in known["nodes"]}


async def asking(api: Any, **parameters: object) -> str:
    run = await api.submit("ship", **parameters)
    await api.until(run, lambda known: known["run"]["state"] == "suspended")
    return run


async def test_a_paused_run_starts_nothing_more_until_it_is_let_go_on(asked, gate) -> None:
    async with asked(pipelines=PIPELINES) as api:
        release = gate("paused")
        run = await api.submit("steps", name="paused")
        await api.until(run, lambda known: states(known)["hold"] == "running")
        assert (await api.post(f"/api/runs/{run[-8:]}/pause"))["paused"] is True
        release.set()
        known = await api.until(run, lambda known: states(known)["hold"] == "succeeded")
        assert states(known)["follow"] == "pending"
        assert (await api.get("/api/runs"))[0]["paused"] is True
        assert (await api.post(f"/api/runs/{run}/unpause"))["paused"] is False
        await api.end(run)
        assert "only a run that hasn't ended" in (await api.post(f"/api/runs/{run}/pause", status=400))["error"]


async def test_a_paused_pipelines_runs_stay_in_the_queue_and_say_why(asked) -> None:
    async with asked(pipelines=PIPELINES) as api:
        paused = await api.post("/api/pipelines/squares/pause", {"reason": "the disk is slow"})
        assert paused["paused"]["reason"] == "the disk is slow"
        assert (await api.get("/api/pipelines/squares"))["pipeline"] == paused
        run = await api.submit("squares", numbers=[1])
        assert (await api.get(f"/api/runs/{run}"))["run"]["pipeline_paused"]["reason"] == "the disk is slow"
        assert [one["pipeline_paused"] is None for one in await api.get("/api/runs")] == [False]
        assert (await api.post("/api/pipelines/squares/unpause"))["paused"] is None
        await api.end(run)
        assert (await api.get("/api/runs"))[0]["pipeline_paused"] is None
        assert (await api.post("/api/pipelines/squares/pause"))["paused"]["reason"] == "asked for"
        assert "there is no pipeline 'square'" in (await api.post("/api/pipelines/square/pause", status=404))["error"]


async def test_what_is_asked_is_listed_and_answered_once(asked) -> None:
    async with asked(pipelines=PIPELINES) as api:
        run = await asking(api, version=7)
        (waits,) = await api.get("/api/waiting")
        assert {name: waits[name] for name in ("run", "pipeline", "node", "kind", "question", "who", "shown", "due")} == {
            "run": run,
            "pipeline": "ship",
            "node": "approval",
            "kind": "answer",
            "question": "Where to?",
            "who": ["ada", "bob"],
            "shown": 7,
            "due": None,
        }
        assert next(iter(waits["form"]["$defs"].values()))["enum"] == ["live", "test"]
        (entry,) = await api.get("/api/runs")
        assert [(one["node"], one["kind"]) for one in entry["waits"]] == [("approval", "answer")]
        known = await api.get(f"/api/runs/{run}")
        assert known["nodes"][1]["wait"] == waits
        answer = f"/api/runs/{run[-8:]}/answer"
        assert "eve may not answer" in (await api.post(answer, {"node": "approval", "text": "live", "by": "eve"}, 400))["error"]
        assert "doesn't fit its form" in (await api.post(answer, {"node": "approval", "text": "moon", "by": "ada"}, 400))["error"]
        assert "nothing is asked at" in (await api.post(answer, {"node": "deploy", "answer": 1}, 404))["error"]
        assert "the answer is missing" in (await api.post(answer, {"node": "approval"}, 400))["error"]
        assert (await api.post(answer, {"node": "approval", "text": "live", "by": "ada"}))["run"] == run
        await api.end(run)
        assert (await api.get(f"/api/runs/{run}"))["result"]["json"] == "7 to live"
        assert "answered already, by ada" in (await api.post(answer, {"node": "approval", "answer": "test", "by": "bob"}, 400))["error"]
        assert await api.get("/api/waiting") == []


async def test_an_answer_may_be_json(asked) -> None:
    async with asked(pipelines=PIPELINES) as api:
        run = await asking(api)
        await api.post(f"/api/runs/{run}/answer", {"node": "approval", "answer": "test", "by": "bob"})
        await api.end(run)
        known = await api.get(f"/api/runs/{run}")
        assert (known["result"]["json"], known["nodes"][1]["reason"], known["nodes"][1]["result"]["json"]) == ("1 to test", "bob", "test")


async def test_one_node_is_cancelled(asked, gate) -> None:
    async with asked(pipelines=PIPELINES) as api:
        gate("one")
        run = await api.submit("steps", name="one")
        await api.until(run, lambda known: states(known)["hold"] == "running")
        assert "no node 'hald'" in (await api.post(f"/api/runs/{run}/cancel", {"node": "hald"}, 404))["error"]
        assert (await api.post(f"/api/runs/{run}/cancel", {"node": "hold"}))["cancel_requested"] is False
        await api.end(run)
        known = await api.get(f"/api/runs/{run}")
        assert (known["run"]["state"], states(known)["hold"]) == ("failed", "cancelled")


async def test_a_failed_run_is_made_again_as_planned(asked, with_broken) -> None:
    async with asked(pipelines=PIPELINES) as api:
        with_broken.add(3)
        run = await api.submit("squares", numbers=[2, 3, 4])
        await api.end(run)
        planned = await api.post(f"/api/runs/{run}/rerun", {"dry": True})
        assert planned["run"] is None
        fates = {one["node"]: one["what"] for one in planned["plan"]}
        assert fates == {"square": "rerun", "square[0]": "reuse", "square[1]": "rerun", "square[2]": "reuse", "total": "rerun"}
        assert len(await api.get("/api/runs")) == 1
        with_broken.clear()
        made = await api.post(f"/api/runs/{run}/rerun", None, 201)
        assert (made["run"]["rerun_of"], made["plan"]) == (run, planned["plan"])
        await api.end(made["run"]["run"])
        assert (await api.get(f"/api/runs/{made['run']['run']}"))["result"]["json"] == 29


async def test_a_rerun_takes_other_parameters_and_keeps_the_rest(asked) -> None:
    async with asked(pipelines=PIPELINES) as api:
        run = await api.submit("squares", numbers=[2])
        await api.end(run)
        rerun = f"/api/runs/{run}/rerun"
        for given in ({"parameters": {"numbers": [3, 4]}}, {"texts": {"numbers": "[3, 4]"}}):
            made = (await api.post(rerun, given, 201))["run"]["run"]
            await api.end(made)
            assert (await api.get(f"/api/runs/{made}"))["result"]["json"] == 25


@pytest.mark.parametrize(
    ("wanted", "status", "said"),
    [
        ({}, 400, "succeeded"),
        ({"since": "cube"}, 404, "has no node 'cube'"),
        ({"parameters": {"number": 1}}, 422, "parameter 'number' is unknown"),
        ({"parameters": {"numbers": "x"}}, 422, "parameter 'numbers'"),
        ({"texts": {"numbers": "x"}}, 422, "parameter 'numbers'"),
        ({"texts": {"numbers": "[]"}, "parameters": {"numbers": []}}, 422, "not both"),
        ({"since": 3}, 400, "the body is not the JSON that belongs here"),
    ],
)
async def test_a_rerun_that_makes_no_sense_is_refused_and_leaves_no_run(asked, wanted, status, said) -> None:
    async with asked(pipelines=PIPELINES) as api:
        run = await api.submit("squares", numbers=[2])
        await api.end(run)
        assert said in (await api.post(f"/api/runs/{run}/rerun", wanted, status))["error"]
        assert len(await api.get("/api/runs")) == 1


async def test_a_run_that_goes_on_is_not_made_again(asked) -> None:
    async with asked(pipelines=PIPELINES) as api:
        run = await asking(api)
        assert "hasn't ended" in (await api.post(f"/api/runs/{run}/rerun", status=400))["error"]


async def test_a_held_run_is_decided_about(asked) -> None:
    async with asked(pipelines=PIPELINES) as api:
        run = await asking(api)
        assert "held" in (await api.post(f"/api/runs/{run}/resolve", {"choice": "fail"}, 400))["error"]
        await api.engine.ports.journal.commit(Unit(1, (RunHeld(run, "its code has changed"),)))
        assert "Invalid enum value 'wait'" in (await api.post(f"/api/runs/{run}/resolve", {"choice": "wait"}, 400))["error"]
        assert (await api.post(f"/api/runs/{run}/resolve", {"choice": "fail"}))["state"] == "failed"


async def test_a_held_run_begun_anew_gives_the_new_run(asked) -> None:
    async with asked(pipelines=PIPELINES) as api:
        run = await asking(api)
        await api.engine.ports.journal.commit(Unit(1, (RunHeld(run, "its code has changed"),)))
        made = await api.post(f"/api/runs/{run}/resolve", {"choice": "restart"})
        assert (made["run"] != run, made["rerun_of"]) == (True, run)
        assert (await api.get(f"/api/runs/{run}"))["run"]["state"] == "cancelled"


async def test_without_a_daemon_waits_are_read_and_nothing_is_done(asked, reading) -> None:
    async with asked(pipelines=PIPELINES) as api:
        run = await asking(api)
        async with reading(api.engine) as read:
            assert await read.get("/api/waiting") == await api.get("/api/waiting")
            for address in (
                *(f"runs/{run}/{what}" for what in ("cancel", "pause", "unpause", "answer", "rerun", "resolve")),
                "pipelines/ship/pause",
                "pipelines/ship/unpause",
            ):
                assert "`eventflow serve`" in (await read.post(f"/api/{address}", status=501))["error"]


async def test_items_are_counted_and_listed_page_by_page(asked, with_broken) -> None:
    async with asked(pipelines=PIPELINES) as api:
        with_broken |= {9, 10, 11}
        run = await api.submit("squares", numbers=list(range(30)))
        await api.end(run)
        known = await api.get(f"/api/runs/{run}")
        assert [node["node"] for node in known["nodes"]] == ["square", "total"]
        assert known["maps"] == [{"path": "square[]", "map": "square", "count": 30, "states": {"failed": 3, "succeeded": 27}}]
        assert [one["node"] for one in known["items"]] == ["square[9]", "square[10]", "square[11]"]
        assert known["items"][0]["failure"]["message"] == "9 is broken"
        assert known["after"] is None
        page = await api.get(f"/api/runs/{run}", state="succeeded", within="square", limit=10)
        assert ([one["node"] for one in page["items"]][-2:], page["after"]) == (["square[8]", "square[12]"], "square[12]")
        assert page["items"][3]["result"]["json"] == 9
        last = await api.get(f"/api/runs/{run}", state="succeeded", after="square[20]")
        assert (last["items"][0]["node"], last["after"]) == ("square[21]", None)
        assert "'done' is no state" in (await api.get(f"/api/runs/{run}", 400, state="done"))["error"]


async def test_an_item_is_asked_about_by_its_name(asked, with_broken) -> None:
    async with asked(pipelines=PIPELINES) as api:
        with_broken.add(3)
        run = await api.submit("squares", numbers=[2, 3])
        await api.end(run)
        assert (await api.get(f"/api/why/{run}/square[1]"))["node"]["failure"]["message"] == "3 is broken"
        assert (await api.get(f"/api/runs/{run}/logs", node="square[1]"))["lines"] == []
        for name in ("square[2]", "square[x]", "square[]", "square[1].load", "cube[1]"):
            assert "has no node" in (await api.get(f"/api/why/{run}/{name}", 404))["error"]
            assert "has no node" in (await api.get(f"/api/runs/{run}/logs", 404, node=name))["error"]


async def test_wishes_with_unknown_words_are_refused(asked) -> None:
    async with asked(pipelines=PIPELINES) as api:
        run = await asking(api)
        for what, wanted in (("cancel", {"nodes": "a"}), ("rerun", {"from": "a"}), ("answer", {"node": "a", "said": 1}), ("resolve", {})):
            assert "the body is not the JSON" in (await api.post(f"/api/runs/{run}/{what}", wanted, 400))["error"]
        assert "the body is not the JSON" in (await api.post("/api/pipelines/ship/pause", {"why": "a"}, 400))["error"]
