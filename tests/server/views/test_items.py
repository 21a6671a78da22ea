"""Nodes inside maps, counted and chosen: over facts committed as an engine would, so that each stays as it is."""

from __future__ import annotations

import msgspec
import pytest

from eventflow import facts
from eventflow.definition import graph as graphs
from eventflow.definition.graph import Graph, Literal, Map, Node, Output, Parameter
from eventflow.facts import Fact, Failure, Inline, Stored, Unit

RUN = "e" * 32
ONE = Inline(msgspec.Raw(b"1"))
LIST = {"x": Literal(msgspec.Raw(b"[]"))}

INNER = Node("train", "t", {"x": Output("load")}, does=Map({"x": 0}, (Node("", "t", {"x": Parameter("x")}),), Output("")))
NODES = (
    Node("features.load", "t"),
    Node("prepare", "", LIST, does=Map({"x": 0}, (Node("load", "t", {"x": Parameter("x")}), INNER), Output("train"))),
    Node("fit", "t", LIST, does=Map({"x": 0}, (Node("", "t", {"x": Parameter("x")}),), Output(""), keyed=True)),
)
BEGUN = (
    facts.GraphRecorded("g", msgspec.Raw(graphs.encode(Graph("p", NODES)))),
    facts.RunSubmitted(RUN, "p", "g", msgspec.Raw(b"{}")),
    facts.RunStarted(RUN),
)


def expanded(node: str, count: int, keys: list[str] | None = None) -> Fact:
    return facts.MapExpanded(RUN, node, count, Inline(msgspec.Raw(msgspec.json.encode({"values": {}, "keys": keys}))))


def running(node: str) -> tuple[Fact, ...]:
    return (facts.AttemptStarted(RUN, node, 1),)


def succeeded(node: str) -> tuple[Fact, ...]:
    return (*running(node), facts.AttemptSucceeded(RUN, node, 1, 0, ONE))


def failed(node: str) -> tuple[Fact, ...]:
    bad = facts.AttemptFailed(RUN, node, 1, 0, "error", Failure("OSError", "no"))
    return (*running(node), bad, facts.NodeFailed(RUN, node, "failed"))


async def told(api, *happened: Fact) -> None:
    await api.engine.ports.journal.commit(Unit(9, happened))


async def counts(api) -> dict[str, dict[str, int]]:
    return {one["path"]: one["states"] for one in (await api.get(f"/api/runs/{RUN}"))["maps"]}


async def names(api, **query: object) -> list[str]:
    return [one["node"] for one in (await api.get(f"/api/runs/{RUN}", **query))["items"]]


async def test_before_its_lists_are_read_a_map_has_no_items(asked) -> None:
    async with asked() as api:
        await told(api, *BEGUN)
        assert await counts(api) == {"prepare[].load": {}, "prepare[].train": {}, "prepare[].train[]": {}, "fit[]": {}}
        assert await names(api) == []


async def test_nodes_inside_items_are_counted_by_path_and_those_to_come_are_pending(asked) -> None:
    async with asked() as api:
        await told(api, *BEGUN, expanded("prepare", 3), *succeeded("prepare[0].load"), *failed("prepare[1].load"))
        await told(api, expanded("prepare[0].train", 4), *succeeded("prepare[0].train[0]"), *running("prepare[0].train[1]"))
        assert await counts(api) == {
            "prepare[].load": {"failed": 1, "succeeded": 1, "pending": 1},
            "prepare[].train": {"running": 1, "pending": 2},
            "prepare[].train[]": {"running": 1, "succeeded": 1, "pending": 2},
            "fit[]": {},
        }
        by_path = {one["path"]: one["count"] for one in (await api.get(f"/api/runs/{RUN}"))["maps"]}
        assert by_path == {"prepare[].load": 3, "prepare[].train": 3, "prepare[].train[]": 4, "fit[]": 0}


async def test_in_a_map_that_has_ended_nothing_is_pending(asked) -> None:
    async with asked() as api:
        await told(api, *BEGUN, expanded("fit", 3, ["a", "b", "c"]), *succeeded("fit[a]"))
        assert (await counts(api))["fit[]"] == {"succeeded": 1, "pending": 2}
        await told(api, facts.NodeCancelled(RUN, "fit", begun=True))
        assert (await counts(api))["fit[]"] == {"succeeded": 1}


async def test_a_failed_map_shows_why_and_still_has_its_items(asked) -> None:
    async with asked() as api:
        few = Failure("ItemsFailed", "0 items succeeded, 2 are needed; the first that failed is fit[a]")
        await told(api, *BEGUN, expanded("fit", 2, ["a", "b"]), *failed("fit[a]"), *failed("fit[b]"), facts.MapEnded(RUN, "fit", 0, few))
        known = await api.get(f"/api/runs/{RUN}")
        assert [one["failure"] and one["failure"]["message"] for one in known["nodes"]] == [None, None, few.message]
        assert [one["count"] for one in known["maps"]] == [0, 0, 0, 2]
        assert (await api.get(f"/api/why/{RUN}/fit[b]"))["node"]["state"] == "failed"
        await api.get(f"/api/why/{RUN}/fit[c]", 404)


async def test_items_that_call_for_attention_are_listed_as_people_count(asked) -> None:
    async with asked() as api:
        both = [fact for index in (10, 2, 1) for fact in failed(f"prepare[{index}].load")]
        await told(api, *BEGUN, expanded("prepare", 11), *both, *succeeded("prepare[0].load"), *running("features.load"))
        assert await names(api) == ["prepare[1].load", "prepare[2].load", "prepare[10].load"]
        assert await names(api, state="succeeded") == ["prepare[0].load"]
        assert await names(api, within="fit") == []
        assert await names(api, within="prepare[2]") == ["prepare[2].load"]
        assert await names(api, after="prepare[2].load") == ["prepare[10].load"]


async def test_of_a_large_map_a_page_is_given_and_where_the_next_begins(asked) -> None:
    async with asked() as api:
        await told(api, *BEGUN, expanded("fit", 2000), *(fact for index in range(2000) for fact in running(f"fit[{index}]")))
        known = await api.get(f"/api/runs/{RUN}")
        assert ([one["states"] for one in known["maps"]][-1], len(known["items"]), known["after"]) == ({"running": 2000}, 50, "fit[49]")
        found, after = list(known["items"]), known["after"]
        while after is not None:
            known = await api.get(f"/api/runs/{RUN}", after=after, limit=1000)
            found, after = [*found, *known["items"]], known["after"]
        assert [one["node"] for one in found] == [f"fit[{index}]" for index in range(2000)]


async def test_the_upstream_of_a_node_in_an_item_is_in_that_item(asked) -> None:
    async with asked() as api:
        await told(api, *BEGUN, expanded("prepare", 2), *succeeded("prepare[1].load"), expanded("prepare[1].train", 1))
        (train,) = (await api.get(f"/api/runs/{RUN}"))["items"]
        assert (train["node"], train["upstream"], train["does"]) == ("prepare[1].train", ["prepare[1].load"], "map")


@pytest.mark.parametrize(
    ("name", "is_there"),
    [
        ("prepare[1].load", True),
        ("prepare[2].load", False),
        ("prepare[01].load", False),
        (f"prepare[{'9' * 5000}].load", False),
        ("prepare[1]", False),
        ("prepare[1].train[3]", True),
        ("prepare[1].train[4]", False),
        ("prepare[0].train[0]", False),
        ("fit[a.b]", True),
        ("fit[0]", False),
        ("features.load", True),
        ("features", False),
    ],
)
async def test_an_item_that_has_not_begun_is_known_by_its_maps_list(asked, name, is_there) -> None:
    async with asked() as api:
        await told(api, *BEGUN, expanded("prepare", 2), expanded("prepare[1].train", 4), expanded("fit", 1, ["a.b"]))
        answer = await api.get(f"/api/why/{RUN}/{name}", 200 if is_there else 404)
        assert is_there or "has no node" in answer["error"]


async def test_keys_that_are_kept_elsewhere_are_known_once_their_items_have_begun(asked) -> None:
    async with asked() as api:
        kept = facts.MapExpanded(RUN, "fit", 2, Stored("d" * 64, 10**6, "json"))
        await told(api, *BEGUN, kept, *succeeded("fit[a]"))
        assert (await api.get(f"/api/why/{RUN}/fit[a]"))["node"]["state"] == "succeeded"
        await api.get(f"/api/why/{RUN}/fit[c]", 404)


async def test_logs_are_asked_for_of_a_node_a_map_an_item_or_a_group(asked) -> None:
    async with asked() as api:
        await told(api, *BEGUN, expanded("prepare", 2), *succeeded("prepare[1].load"))
        for name in ("prepare", "prepare[1]", "prepare[1].load", "prepare[0].load", "features", "features.load", "fit"):
            assert (await api.get(f"/api/runs/{RUN}/logs", node=name))["lines"] == []
        for name in ("prepar", "prepare[1].loa", "prepare[2]", "prepare[]", "feature", ""):
            await api.get(f"/api/runs/{RUN}/logs", 404, node=name)
