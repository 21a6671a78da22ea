"""`why` of branches, maps, waits, child runs, pauses and queues: committed as an engine would, so that each stays as it is."""

from __future__ import annotations

import msgspec
import pytest

from eventflow import facts
from eventflow.definition import graph as graphs
from eventflow.definition.graph import Branch, Graph, Literal, Map, Node, OneOf, Output, Wait
from eventflow.engine import wanted as wants
from eventflow.engine.wanted import AnswerWanted, TimeWanted
from eventflow.facts import Fact, Failure, Inline, Unit

RUN, OTHER = "e" * 32, f"{'b' * 24}12345678"
RAW = msgspec.Raw(b"{}")
ONE = Inline(msgspec.Raw(b"1"))
BAD = Failure("OSError", "no")

NODES = (
    Node("judge", "t"),
    Node("when_judge", "", {"value": Output("judge")}, does=Branch(["yes"])),
    Node("train", "t", {"rate": Literal(msgspec.Raw(b"[1,2]"))}, within="when_judge", does=Map({"rate": 0}, (Node("", "t"),), Output(""))),
    Node("deploy", "t", {"x": Output("train")}, within="when_judge"),
    Node("ask", "", does=Wait("answer")),
    Node("join", "t", {"x": OneOf((Output("deploy"), Output("judge")))}, after=("ask",)),
    Node("report", "t", after=("judge", "ask"), rule="all_done"),
    Node("close", "t", after=("join",), role="teardown"),
    Node("alert", "t", after=("judge",), role="hook", on="failure", of="judge"),
)
GRAPH = facts.GraphRecorded("whole", msgspec.Raw(graphs.encode(Graph("whole", NODES))))
SUBMITTED = facts.RunSubmitted(RUN, "whole", "whole", RAW)
STARTED = facts.RunStarted(RUN)


def succeeded(node: str) -> tuple[Fact, Fact]:
    return facts.AttemptStarted(RUN, node, 1), facts.AttemptSucceeded(RUN, node, 1, 0, ONE)


async def told(api, *happened: Fact, at: int = 9) -> None:
    await api.engine.ports.journal.commit(Unit(at, happened))


async def said(api, what: str) -> list[str]:
    return [sentence["text"] for sentence in (await api.get(f"/api/why/{what}"))["sentences"]]


async def test_a_skipped_node_names_its_branch_and_what_that_decided_on(asked) -> None:
    async with asked() as api:
        decided = facts.BranchDecided(RUN, "when_judge", taken=False, value="'no'")
        await told(api, GRAPH, SUBMITTED, STARTED, *succeeded("judge"), decided, facts.NodeSkipped(RUN, "deploy", "when_judge"))
        assert await said(api, f"{RUN}/deploy") == [
            "deploy needs train to succeed first",
            "deploy is run only if its branch when_judge is taken",
            "it was skipped, because when_judge was",
            "it began with when_judge, which wasn't taken: its value was 'no'",
        ]
        assert (await said(api, f"{RUN}/when_judge"))[-1] == "it was not taken: the value was 'no'"
        assert "when_judge: it was not taken: the value was 'no'" in await said(api, RUN)


async def test_a_node_that_asked_to_be_skipped_is_named_with_its_reason(asked) -> None:
    async with asked() as api:
        skipped = facts.AttemptSkipped(RUN, "judge", 1, 0, "no rows")
        started = facts.AttemptStarted(RUN, "judge", 1)
        await told(api, GRAPH, SUBMITTED, STARTED, started, skipped, facts.NodeSkipped(RUN, "when_judge", "judge"))
        assert (await said(api, f"{RUN}/when_judge"))[-2:] == [
            "it was skipped, because judge was",
            "it began with judge, which asked to be skipped: no rows",
        ]
        assert "attempt 1 asked to be skipped" in (await said(api, f"{RUN}/judge"))[-1]


async def test_rules_and_closing_nodes_say_when_they_run(asked) -> None:
    async with asked() as api:
        await told(api, GRAPH, SUBMITTED)
        firsts = {name: (await said(api, f"{RUN}/{name}"))[0] for name in ("report", "close", "alert", "judge")}
        assert firsts == {
            "report": "report depends on judge, ask, by the rule all_done",
            "close": "close runs at the end, whatever happened: once join has ended",
            "alert": "alert is a hook: it is called once judge has ended, if that ended as it is there for",
            "judge": "judge needs no other node",
        }


@pytest.mark.parametrize(("default", "ending"), [(True, "goes on with its default"), (msgspec.UNSET, "fails")])
async def test_a_suspended_run_and_node_say_what_they_wait_for_and_until_when(asked, default, ending) -> None:
    async with asked() as api:
        wanted = wants.encode(AnswerWanted("Deploy?", {}, ("ada", "bob"), default=default))
        waits = (facts.NodeSuspended(RUN, "ask", "answer", wanted, 60_000_009), facts.RunSuspended(RUN, 1, 5_000_000))
        await told(api, GRAPH, SUBMITTED, STARTED, *succeeded("judge"), *waits)
        story = (await api.get(f"/api/why/{RUN}/ask"))["sentences"]
        assert [(one["at"], one["text"]) for one in story[1:]] == [
            (9, "it began to wait for an answer to 'Deploy?' from ada or bob, for 1m at most"),
            (None, "ask waits for an answer to 'Deploy?' from ada or bob"),
            (60_000_009, f"it {ending} where that hasn't come"),
        ]
        assert [(one["at"], one["text"]) for one in (await api.get(f"/api/why/{RUN}"))["sentences"][2:]] == [
            (9, "ask: it began to wait for an answer to 'Deploy?' from ada or bob, for 1m at most"),
            (9, "it was suspended, after 5.0s of its own time: 1 node waits for the world, nothing else is to do"),
            (None, "ask waits for an answer to 'Deploy?' from ada or bob"),
            (60_000_009, f"it {ending} where that hasn't come"),
        ]
        assert (await said(api, f"{RUN}/join"))[-1] == "it waits for deploy (pending), ask (suspended)"
        await told(api, facts.NodeAnswered(RUN, "ask", Inline(msgspec.Raw(b"true")), "ada"))
        assert (await said(api, f"{RUN}/ask"))[-1] == "what it waited for came: ada gave true"


async def test_a_wait_for_a_time_goes_on_by_itself(asked) -> None:
    async with asked() as api:
        await told(api, GRAPH, SUBMITTED, STARTED, facts.NodeSuspended(RUN, "ask", "time", wants.encode(TimeWanted()), 60_000_009))
        assert (await said(api, f"{RUN}/ask"))[-2:] == ["ask waits for its time", "it goes on"]


async def test_a_queued_node_says_what_it_stands_in_line_for(asked) -> None:
    async with asked() as api:
        await told(api, GRAPH, SUBMITTED, STARTED, facts.NodeQueued(RUN, "judge", 60_000_009, limited=True))
        explained = (await api.get(f"/api/why/{RUN}/judge"))["sentences"]
        assert [(one["at"], one["text"]) for one in explained[-2:]] == [
            (None, "judge stands in line for what it uses"),
            (60_000_009, "it fails where it still does"),
        ]
        assert "judge stands in line for what it uses" in await said(api, RUN)


async def test_a_node_whose_rule_said_yes_stands_in_no_line(asked) -> None:
    async with asked() as api:
        await told(api, GRAPH, SUBMITTED, STARTED, facts.NodeQueued(RUN, "judge"))
        now = "judge may start, as its rule says: it starts as soon as there is room"
        assert (await said(api, f"{RUN}/judge"))[-1] == now
        assert now in await said(api, RUN)


async def test_a_paused_run_says_so_in_itself_and_in_its_nodes(asked) -> None:
    async with asked() as api:
        await told(api, GRAPH, SUBMITTED, STARTED, facts.AttemptStarted(RUN, "judge", 1), facts.RunPaused(RUN))
        assert (await said(api, RUN))[-3:] == [
            "somebody paused it: nothing more is started in it",
            "it is paused: nothing more is started in it before somebody lets it go on",
            "judge is running: attempt 1",
        ]
        assert (await said(api, f"{RUN}/join"))[-2] == "its run is paused: nothing more is started in it"


async def test_a_run_in_the_queue_of_a_paused_pipeline_says_since_when_and_why(asked) -> None:
    async with asked() as api:
        await told(api, GRAPH, SUBMITTED, facts.PipelinePaused("whole", "its last 3 runs failed"), at=7)
        last = (await api.get(f"/api/why/{RUN}"))["sentences"][-1]
        assert last == {"at": 7, "text": "it stays in the queue, because whole is paused: its last 3 runs failed"}
        await told(api, facts.PipelineUnpaused("whole"))
        assert (await said(api, RUN))[-1] == "it is in the queue, and is started as soon as the daemon comes to it"


async def test_a_queued_run_with_a_key_names_those_of_its_key_alone(asked) -> None:
    async with asked() as api:
        for run, key in (("1" * 32, "a"), ("2" * 32, "b")):
            await told(api, msgspec.structs.replace(SUBMITTED, run=run, concurrency_key=key), facts.RunStarted(run))
        await told(api, GRAPH, msgspec.structs.replace(SUBMITTED, concurrency_key="b"))
        assert (await said(api, RUN))[-1] == "it is in the queue of whole with the key 'b', whose max_active_runs are at work: run 22222222"


async def test_a_map_tells_its_items_and_an_item_its_story(asked) -> None:
    async with asked() as api:
        before = (GRAPH, SUBMITTED, STARTED, *succeeded("judge"), facts.BranchDecided(RUN, "when_judge", taken=True, value="'yes'"))
        begun = (facts.MapExpanded(RUN, "train", 2, Inline(msgspec.Raw(b'{"values":{"rate":[]}}'))), *succeeded("train[0]"))
        await told(api, *before, *begun, facts.AttemptStarted(RUN, "train[1]", 1))
        assert (await said(api, f"{RUN}/train"))[-2:] == ["it has 2 items", "train is running its items"]
        assert await said(api, f"{RUN}/train[1]") == ["train[1] needs no other node", "attempt 1 started", "train[1] is running: attempt 1"]
        assert (await said(api, RUN))[2:] == [
            "when_judge: it was taken: the value was 'yes'",
            "train: it has 2 items",
            "train is running its items",
            "train[1] is running: attempt 1",
        ]


async def test_of_many_items_in_trouble_a_run_tells_some_and_counts_the_others(asked) -> None:
    async with asked() as api:
        items = facts.MapExpanded(RUN, "train", 30, Inline(msgspec.Raw(b'{"values":{"rate":[]}}')))
        await told(api, GRAPH, SUBMITTED, STARTED, items)
        for number in range(30):
            started = facts.AttemptStarted(RUN, f"train[{number}]", 1)
            await told(
                api,
                started,
                facts.AttemptFailed(RUN, f"train[{number}]", 1, 0, "error", BAD),
                facts.NodeFailed(RUN, f"train[{number}]", "failed"),
            )
        await told(api, facts.MapEnded(RUN, "train", 0, BAD), facts.RunFailed(RUN, BAD, "train"))
        story = await said(api, RUN)
        assert len([one for one in story if one.startswith("train[")]) == 20
        assert story[-3:] == [
            "train: its items have ended, 0 of them well; it failed: OSError: no",
            "it failed: node train failed",
            "40 more things went wrong with the items of its maps: ask about each by its name",
        ]


async def test_a_child_names_its_parent_and_a_rerun_what_it_keeps(asked) -> None:
    async with asked() as api:
        child = msgspec.structs.replace(SUBMITTED, parent=OTHER, parent_node="clean")
        await told(api, GRAPH, child)
        assert (await said(api, RUN))[0] == "node clean of run 12345678 began this run of whole, its child"
        again = "d" * 32
        rerun = facts.RunSubmitted(again, "whole", "whole", RAW, rerun_of=RUN)
        await told(api, rerun, facts.NodeReused(again, "judge", RUN, ONE))
        assert (await said(api, again))[0] == "this rerun of run eeeeeeee of whole was asked for by hand or by a program"
        assert (await said(api, f"{again}/judge"))[-1] == "it keeps what it gave in run eeeeeeee"


async def test_a_node_that_fell_back_says_so(asked) -> None:
    async with asked() as api:
        failed = facts.AttemptFailed(RUN, "judge", 1, 0, "error", BAD)
        await told(api, GRAPH, SUBMITTED, STARTED, facts.AttemptStarted(RUN, "judge", 1), failed, facts.NodeFellBack(RUN, "judge", ONE))
        assert (await said(api, f"{RUN}/judge"))[-1] == "its fallback takes the place of a result: 1"
        assert "judge: its fallback takes the place of a result: 1" in await said(api, RUN)


async def test_a_cancelled_node_says_whether_it_was_meant_itself(asked) -> None:
    async with asked() as api:
        await told(api, GRAPH, SUBMITTED, STARTED, facts.NodeQueued(RUN, "judge"), facts.NodeCancelRequested(RUN, "judge"))
        await told(api, facts.NodeCancelled(RUN, "judge", begun=True), facts.CancelRequested(RUN, "a newer run took its place"))
        await told(api, facts.NodeCancelled(RUN, "join"), facts.RunCancelled(RUN))
        assert (await said(api, f"{RUN}/judge"))[-2:] == ["somebody asked for it to be cancelled", "it was cancelled"]
        assert (await said(api, f"{RUN}/join"))[-2:] == [
            "it was cancelled, before it had begun",
            "it ended with its run, which was cancelled: a newer run took its place",
        ]


async def test_a_node_that_ended_with_a_failed_run_says_so(asked) -> None:
    async with asked() as api:
        timeout = Failure("TimeoutError", "the run took longer than its 5 s")
        await told(api, GRAPH, SUBMITTED, STARTED, facts.NodeCancelled(RUN, "join"), facts.RunFailed(RUN, timeout))
        assert (await said(api, f"{RUN}/join"))[-1] == "it ended with its run, which failed"
        assert (await said(api, RUN))[-1] == "it failed: TimeoutError: the run took longer than its 5 s"


async def test_a_suspended_run_is_named_so_in_its_events_story(asked) -> None:
    async with asked() as api:
        await api.event(0x77777777, "fired", RUN)
        await told(api, GRAPH, SUBMITTED, STARTED, facts.RunSuspended(RUN, 1, 0))
        assert (await said(api, "77777777"))[-2] == "run eeeeeeee of whole is suspended"
