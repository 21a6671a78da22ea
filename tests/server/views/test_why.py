from __future__ import annotations

import msgspec

from eventflow import ids
from eventflow.facts import AttemptLost, AttemptStarted, CheckpointSaved, GraphRecorded, Inline, RunHeld, RunStarted, RunSubmitted, Unit

TAKEN = "its identity is taken: the same event again fires nothing"


async def said(api, what: str) -> list[str]:
    return [sentence["text"] for sentence in (await api.get(f"/api/why/{what}"))["sentences"]]


async def test_an_event_nobody_listens_to_says_so(asked) -> None:
    async with asked() as api:
        event = await api.event(0x12345678)
        assert await said(api, "12345678") == [
            "sensor inbox saw event 12345678 (file) about x305419896.csv",
            "no trigger listens to inbox: nothing was decided about it",
            TAKEN,
        ]
        explained = await api.get(f"/api/why/{event}")
        assert (explained["about"], explained["event"]["event"], explained["sentences"][0]["at"]) == ("event", event, 0x12345678)


async def test_an_event_tells_each_decision_and_what_became_of_the_run(asked) -> None:
    async with asked() as api:
        run = await api.submit("words", path="bad")
        await api.end(run)
        await api.event(0x11111111, "fired", run)
        await api.event(0x22222222, "filtered")
        await api.event(0x33333333, "refused", reason="KeyError: 'path'")
        await api.event(0x44444444, "paused", reason="by ada")
        assert (await said(api, "11111111"))[1:] == [
            f"trigger on-drop fired run {run[-8:]}",
            f"run {run[-8:]} of words failed at node double",
            TAKEN,
        ]
        assert (await said(api, "22222222"))[1:] == ["trigger on-drop passed it over: its `where` said no", TAKEN]
        assert (await said(api, "33333333"))[1:] == ["trigger on-drop could make no run of it: KeyError: 'path'", TAKEN]
        assert (await said(api, "44444444"))[1:] == ["trigger on-drop decided: paused: by ada", TAKEN]


async def test_a_run_tells_its_cause_and_its_end(asked) -> None:
    async with asked() as api:
        run = await api.submit("words", path="a")
        await api.end(run)
        assert await said(api, run) == [
            "this run of words was submitted by hand or by a program",
            "it was admitted and started",
            'it succeeded with {"said":"aa"}',
        ]


async def test_a_failed_run_tells_which_node_and_why(asked) -> None:
    async with asked() as api:
        run = await api.submit("words", path="bad")
        await api.end(run)
        told = await said(api, run[-8:])
        assert told[2].startswith("double: attempt 1 failed after ")
        assert "ValueError: no good: " in told[2]
        assert told[3:] == ["double: it failed for good: it is not tried again", "it failed: node double failed"]


async def test_a_run_fired_by_a_trigger_names_its_event(asked) -> None:
    async with asked() as api:
        event = await api.event(0x55555555, "fired", "f" * 32)
        graph = GraphRecorded("d", msgspec.Raw(b'{"pipeline":"words","nodes":[]}'))
        submitted = RunSubmitted("f" * 32, "words", "d", msgspec.Raw(b"{}"), event=event, trigger="on-drop")
        await api.engine.ports.journal.commit(Unit(5, (graph, submitted)))
        assert (await said(api, "f" * 32))[:2] == [
            "sensor inbox saw event 55555555 (file) about x1431655765.csv",
            "trigger on-drop fired this run of words for event 55555555",
        ]


async def test_a_queued_run_names_those_before_it(asked, gate) -> None:
    async with asked() as api:
        release = gate("first")
        first = await api.submit("gated", name="first")
        await api.until(first, lambda known: known["run"]["state"] == "running")
        second = await api.submit("gated", name="first")
        assert (await said(api, second))[-1] == f"it is in the queue of gated, whose max_active_runs are at work: run {first[-8:]}"
        assert (await said(api, f"{second}/wait"))[-1] == "its run is still in the queue"
        release.set()
        await api.end(second)


async def test_a_running_run_tells_what_is_at_work_and_a_node_what_it_waits_for(asked, gate) -> None:
    async with asked() as api:
        release = gate("now")
        run = await api.submit("gated", name="now")
        await api.until(run, lambda known: known["nodes"][0]["state"] == "running")
        assert (await said(api, run))[-1] == "wait is running: attempt 1"
        assert await said(api, f"{run[-6:]}/after") == ["after needs wait to succeed first", "it waits for wait (running)"]
        assert (await said(api, f"{run}/wait"))[-1] == "wait is running: attempt 1"
        release.set()
        await api.end(run)


async def test_a_retrying_node_tells_until_when(asked, clock) -> None:
    async with asked(clock=clock) as api:
        run = await api.submit("stubborn")
        known = await api.until(run, lambda known: known["nodes"][0]["state"] == "retrying")
        explained = (await api.get(f"/api/why/{run}/flaky"))["sentences"]
        assert "OSError: not now" in explained[2]["text"]
        assert explained[2]["text"].endswith("; to be tried again 1h later")
        assert explained[3] == {"at": known["nodes"][0]["due"], "text": "flaky is tried again"}
        await api.post(f"/api/runs/{run}/cancel")
        await api.end(run)
        assert (await said(api, f"{run}/flaky"))[-2:] == ["it was cancelled", "it ended with its run, which was cancelled"]


async def test_a_node_that_could_not_run_tells_where_it_began(asked) -> None:
    async with asked() as api:
        run = await api.submit("words", path="bad")
        await api.end(run)
        told = await said(api, f"{run}/report")
        assert told[:2] == ["report needs double to succeed first", "it can't run: it needs double, which didn't succeed"]
        assert told[2].startswith("it began with double, which failed: ValueError: no good: ")


async def test_a_cancelled_node_says_so(asked, gate) -> None:
    async with asked() as api:
        gate("stopped")
        run = await api.submit("gated", name="stopped")
        await api.until(run, lambda known: known["nodes"][0]["state"] == "running")
        await api.post(f"/api/runs/{run}/cancel")
        await api.end(run)
        ended = "it ended with its run, which was cancelled"
        assert (await said(api, f"{run}/wait"))[-2:] == ["attempt 1 was stopped", ended]
        assert (await said(api, f"{run}/after"))[-2:] == ["it was cancelled, before it had begun", ended]
        assert (await said(api, run))[-1] == "it was cancelled"


async def _lost_and_held(api) -> str:
    """Commit the story of a run whose daemon died under its first node, and that no longer fits the code."""
    run, words = "e" * 32, msgspec.json.encode({"pipeline": "words", "nodes": [{"name": "load", "task": "load"}]})
    story = (
        GraphRecorded("g", msgspec.Raw(words)),
        RunSubmitted(run, "words", "g", msgspec.Raw(b"{}"), key="nightly"),
        RunStarted(run),
        AttemptStarted(run, "load", 1),
        CheckpointSaved(run, "load", 1, 1, Inline(msgspec.Raw(b"1"))),
        CheckpointSaved(run, "load", 1, 2, Inline(msgspec.Raw(b"2"))),
        AttemptLost(run, "load", 1, 7, "crash", 1),
        RunHeld(run, "node 'load' is gone"),
    )
    await api.engine.ports.journal.commit(Unit(7, story))
    return run


async def test_an_attempt_lost_in_a_crash_and_a_held_run_are_explained(asked) -> None:
    async with asked() as api:
        run = await _lost_and_held(api)
        assert await said(api, run) == [
            "this run of words was submitted by hand or by a program, under the key 'nightly'",
            "it was admitted and started",
            "load: attempt 1 was lost: the process died under it, the first time",
            "it was held: node 'load' is gone",
            f"it waits for a person: `eventflow resolve {ids.short(run)} resume|restart|fail` decides what becomes of it",
        ]
        assert await said(api, f"{run}/load") == [
            "load needs no other node",
            "attempt 1 started",
            "attempt 1 saved its progress, with 2 iterations done",
            "attempt 1 was lost: the process died under it, the first time",
            "its run is held: node 'load' is gone",
        ]


async def test_without_a_daemon_what_is_open_waits_for_one(asked, reading, gate) -> None:
    async with asked() as api:
        release = gate("alone")
        run = await api.submit("gated", name="alone")
        await api.until(run, lambda known: known["nodes"][0]["state"] == "running")
        async with reading(api.engine) as read:
            for what in (run, f"{run}/after"):
                assert (await said(read, what))[-1] == "no daemon is at work on this project: nothing goes on before `eventflow serve`"
        release.set()
        await api.end(run)


async def test_a_node_that_is_not_there_names_those_that_are(asked) -> None:
    async with asked() as api:
        run = await api.submit("words", path="a")
        said = (await api.get(f"/api/why/{run}/lode", 404))["error"]
        assert said == f"run {run[-8:]} of words has no node 'lode': there is load, double, report"
        await api.get(f"/api/why/{run}/", 404)
