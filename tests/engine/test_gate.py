"""A gate: what it decides on, in whatever order it hears of it, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from itertools import permutations, product

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventflow import states
from eventflow.definition.graph import (
    FINALLY,
    HOOK,
    TEARDOWN,
    Binding,
    Branch,
    Ending,
    Literal,
    Maybe,
    Node,
    OneOf,
    Output,
    dependencies,
    upstream,
)
from eventflow.engine.gate import Gate
from eventflow.engine.inputs import available
from eventflow.engine.outcome import Outcome
from eventflow.engine.rules import Verdict
from tests.engine.graph_model import BROKEN, OUTCOMES, PREDICATE, RULES, STRICT, ruled
from tests.engine.world import turns

A, B, C = Output("a"), Output("b"), Output("c")
SEVEN = Literal(msgspec.Raw(b"7"))


class Ear:
    """Hears what a gate decides, and wakes its upstream one by one."""

    def __init__(self, node: Node) -> None:
        loop = asyncio.get_running_loop()
        self.heard: list[tuple[str, str | None]] = []
        self.futures: dict[str, asyncio.Future[Outcome]] = {name: loop.create_future() for name in upstream(node)}
        sources = [(one, [self.futures[name] for name in one.nodes]) for one in dependencies(node)]
        Gate(node, self._hear).listen(None if node.within is None else self.futures[node.within], sources)

    def _hear(self, verdict: Verdict, cause: Outcome | None) -> None:
        self.heard.append((verdict.value, None if cause is None else cause.node))

    async def tell(self, name: str, state: str, *, by: str | None = None, passes: bool = False) -> str | None:
        self.futures[name].set_result(Outcome(state, name, by=by, passes=passes))
        await turns(2)
        return self.verdict

    def assert_values_are_known(self, node: Node) -> None:
        for binding in node.inputs.values():
            available(binding, self)  # type: ignore[arg-type]  # asks no more of a reader than an outcome, which must be there

    def outcome(self, name: str) -> Outcome:
        return self.futures[name].result()

    @property
    def verdict(self) -> str | None:
        return self.heard[0][0] if self.heard else None


def node(*bindings: Binding, after: Iterable[str] = (), rule: str = STRICT, within: str | None = None, **rest: object) -> Node:
    inputs = {f"x{number}": binding for number, binding in enumerate(bindings)}
    return Node("node", "t:t", inputs, tuple(after), rule=rule, within=within, **rest)  # type: ignore[arg-type]


async def told(node: Node, *outcomes: tuple[str, str]) -> list[str | None]:
    """Give what was decided before anything, and after each outcome."""
    ear = Ear(node)
    await turns(2)
    said = [ear.verdict, *[await ear.tell(name, state) for name, state in outcomes]]
    assert len(ear.heard) <= 1
    return said


# When it decides


async def test_with_nothing_upstream_the_gate_opens_at_once() -> None:
    for rule in RULES:
        assert await told(node(rule=rule)) == ["ask" if rule == PREDICATE else "run"]


async def test_the_gate_opens_only_after_the_last_upstream_has_succeeded() -> None:
    assert await told(node(A, B), ("b", "succeeded"), ("a", "succeeded")) == [None, None, "run"]


async def test_the_gate_closes_at_the_first_failure_names_it_and_decides_once() -> None:
    ear = Ear(node(A, B, C))
    assert await ear.tell("b", "failed") == "fail"
    await ear.tell("a", "cancelled")
    await ear.tell("c", "succeeded")
    assert ear.heard == [("fail", "b")]


async def test_outcomes_that_are_there_already_count() -> None:
    loop = asyncio.get_running_loop()
    done = {name: loop.create_future() for name in ("a", "b")}
    for name, future in done.items():
        future.set_result(Outcome(states.SUCCEEDED, name))
    one, heard = node(A, B), list[Verdict]()
    Gate(one, lambda verdict, _: heard.append(verdict)).listen(None, [(each, [done[each.nodes[0]]]) for each in dependencies(one)])
    await turns(3)
    assert heard == [Verdict.RUN]


@pytest.mark.parametrize("rule", RULES)
async def test_whatever_the_order_the_gate_says_what_the_rule_says(rule: str) -> None:
    for outcomes in product(OUTCOMES, repeat=3):
        if list(outcomes) != sorted(outcomes):
            continue
        wanted = ruled(rule, outcomes)
        for order in permutations(zip("abc", outcomes, strict=True)):
            said = await told(node(after="abc", rule=rule), *order)
            assert {one for one in said if one} == {wanted}, order


# The branch around the node


@pytest.mark.parametrize("rule", RULES)
async def test_a_branch_that_is_not_taken_skips_the_node_at_once_whatever_its_rule_and_is_named(rule: str) -> None:
    ear = Ear(node(after="ab", rule=rule, within="branch"))
    assert await ear.tell("branch", "skipped", by="elsewhere") == "skip"
    assert ear.heard == [("skip", "branch")]


@pytest.mark.parametrize("rule", RULES)
async def test_nothing_is_decided_before_the_branch_is(rule: str) -> None:
    for outcomes in product(OUTCOMES, repeat=2):
        ear = Ear(node(after="ab", rule=rule, within="branch"))
        assert [await ear.tell("a", outcomes[0]), await ear.tell("b", outcomes[1])] == [None, None]
        assert await ear.tell("branch", "succeeded") == ruled(rule, outcomes)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("state", sorted(BROKEN))
async def test_a_branch_that_could_not_be_decided_fails_the_node_whatever_its_rule(rule: str, state: str) -> None:
    ear = Ear(node(after="a", rule=rule, within="branch"))
    await ear.tell("a", "succeeded")
    assert await ear.tell("branch", state) == "fail"
    assert ear.heard == [("fail", "branch")]


async def test_a_taken_branch_alone_lets_the_node_run() -> None:
    for rule in RULES:
        assert await told(node(rule=rule, within="branch"), ("branch", "succeeded")) == [None, "ask" if rule == PREDICATE else "run"]


# What it takes, and what it only waits for


async def test_maybe_takes_a_skipped_node_for_good_under_the_default_rule_but_not_a_failed_one() -> None:
    assert await told(node(Maybe(A), B), ("a", "skipped"), ("b", "succeeded")) == [None, None, "run"]
    assert await told(node(Maybe(A), B), ("a", "failed")) == [None, "fail"]
    assert await told(node(Maybe(A), rule="none_skipped"), ("a", "skipped")) == [None, "skip"]


async def test_a_node_that_is_taken_twice_once_strictly_is_needed() -> None:
    assert (await told(node(Maybe(A), A), ("a", "skipped")))[-1] == "skip"
    assert (await told(node(A, after="a"), ("a", "skipped")))[-1] == "skip"
    assert (await told(node(Maybe(A), after="a"), ("a", "skipped")))[-1] == "skip"


async def test_of_alternatives_the_first_that_is_not_skipped_counts() -> None:
    choice = node(OneOf((A, B)))
    assert await told(choice, ("a", "succeeded")) == [None, "run"]
    assert await told(choice, ("b", "succeeded"), ("a", "skipped")) == [None, None, "run"]
    assert await told(choice, ("b", "succeeded"), ("a", "failed")) == [None, None, "fail"]
    assert await told(choice, ("a", "skipped"), ("b", "skipped")) == [None, None, "skip"]
    assert await told(choice, ("a", "skipped"), ("b", "cancelled")) == [None, None, "fail"]


async def test_alternatives_with_a_plain_value_behind_them_are_never_missing() -> None:
    assert await told(node(OneOf((A, B, SEVEN))), ("a", "skipped"), ("b", "skipped")) == [None, None, "run"]
    assert await told(node(OneOf((A, SEVEN))), ("a", "failed")) == [None, "fail"]


async def test_alternatives_count_as_one_outcome() -> None:
    assert await told(node(Maybe(OneOf((A, B))), rule="none_skipped"), ("a", "skipped"), ("b", "succeeded")) == [None, None, "run"]
    assert await told(node(Maybe(OneOf((A, B))), rule="all_failed"), ("a", "failed"), ("b", "succeeded")) == [None, None, "run"]


@pytest.mark.parametrize("rule", ["one_success", "one_done", "one_failed", "always"])
async def test_a_rule_that_is_content_early_still_waits_for_the_values_that_the_node_takes(rule: str) -> None:
    sure = "failed" if rule == "one_failed" else "succeeded"
    assert await told(node(Maybe(B), after="a", rule=rule), ("a", sure), ("b", "succeeded")) == [None, None, "run"]
    assert (await told(node(after="ab", rule=rule), ("a", sure)))[-1] == "run"


async def test_a_choice_is_waited_for_until_it_is_known_what_is_chosen() -> None:
    chooses = node(Maybe(OneOf((A, B, C))), rule="all_done")
    assert await told(chooses, ("a", "failed"), ("b", "succeeded")) == [None, None, "run"]
    assert await told(chooses, ("c", "succeeded"), ("a", "failed"), ("b", "skipped")) == [None, None, None, "run"]


async def test_a_predicate_is_asked_once_all_have_ended_also_those_that_are_not_chosen() -> None:
    asks = node(Maybe(OneOf((A, B))), OneOf((C, SEVEN)), rule=PREDICATE)
    assert await told(asks, ("a", "succeeded"), ("c", "skipped"), ("b", "succeeded")) == [None, None, None, "ask"]


async def test_a_skip_by_rule_does_not_wait_for_values_that_nobody_takes() -> None:
    assert (await told(node(Maybe(A), Maybe(B), rule="all_failed"), ("a", "succeeded")))[-1] == "skip"


async def test_what_passes_its_input_on_counts_as_a_success() -> None:
    for one in (node(A), node(after="a"), node(Maybe(A), rule="none_skipped"), node(OneOf((A, B)))):
        ear = Ear(one)
        assert await ear.tell("a", "skipped", passes=True) == "run"


# A node that passes its input on


async def test_a_node_that_passes_its_input_on_is_skipped_once_that_is_there() -> None:
    passing = node(A, B, within="branch", passes=True)
    assert await told(passing, ("branch", "skipped"), ("a", "succeeded"), ("b", "succeeded")) == [None, None, None, "skip"]
    assert await told(passing, ("branch", "skipped"), ("a", "failed")) == [None, None, "fail"]
    assert await told(node(passes=True, within="branch"), ("branch", "skipped")) == [None, "skip"]


async def test_a_node_that_passes_its_input_on_waits_for_it_also_where_its_own_rule_skips_it() -> None:
    passing = node(Maybe(A), after="b", rule="none_skipped", passes=True)
    assert await told(passing, ("b", "skipped"), ("a", "succeeded")) == [None, None, "skip"]


# Closing nodes, and otherwise


@pytest.mark.parametrize("role", [TEARDOWN, FINALLY, HOOK])
async def test_a_closing_node_only_waits_for_what_it_comes_after(role: str) -> None:
    for outcomes in product(OUTCOMES, repeat=2):
        closing = node(after="ab", role=role)
        assert await told(closing, ("b", outcomes[1]), ("a", outcomes[0])) == [None, None, "run"]


async def test_a_teardown_needs_what_it_closes_and_waits_for_its_users() -> None:
    teardown = node(A, after="b", role=TEARDOWN)
    assert await told(teardown, ("a", "succeeded"), ("b", "failed")) == [None, None, "run"]
    assert await told(teardown, ("a", "skipped"), ("b", "skipped")) == [None, None, "skip"]
    assert await told(teardown, ("a", "failed")) == [None, "fail"]


async def test_a_hook_waits_for_the_end_that_it_is_told_of() -> None:
    for state in OUTCOMES:
        assert await told(node(Ending("a"), after="a", role=HOOK, on="success", of="a"), ("a", state)) == [None, "run"]


async def test_otherwise_waits_for_all_branches_before_it_however_they_end() -> None:
    for outcomes in product(OUTCOMES, repeat=2):
        otherwise = node(does=Branch(otherwise=("a", "b")))
        assert await told(otherwise, ("b", outcomes[1]), ("a", outcomes[0])) == [None, None, "run"]


# All of it together


UNSURE: tuple[Binding, ...] = (A, OneOf((B, C)))
SURE: tuple[Binding, ...] = (Maybe(A), Maybe(B), OneOf((C, A, SEVEN)), Maybe(OneOf((A, C))))
"""What a node takes; with any rule but the default one it takes only what has a value in any case."""


@st.composite
def nodes(draw: st.DrawFn) -> Node:
    rule = draw(st.sampled_from(sorted(RULES)))
    shapes = (*UNSURE, *SURE) if rule == STRICT else SURE
    taken = draw(st.lists(st.sampled_from(range(len(shapes))), max_size=3, unique=True))
    within, passes = draw(st.sampled_from([None, "branch"])), draw(st.booleans())
    after = draw(st.sets(st.sampled_from("ad")))
    return node(*(shapes[number] for number in taken), after=sorted(after), rule=rule, within=within, passes=passes)


def counted(binding: Binding, ended: Mapping[str, str], *, lenient: bool) -> str:
    """Give the one outcome that a binding counts as."""
    match binding:
        case Output(node=name):
            return ended[name]
        case Maybe(item=item):
            found = counted(item, ended, lenient=False)
            return "succeeded" if found == "skipped" and lenient else found
        case OneOf(items=items):
            names = [item.node for item in items if isinstance(item, Output)]
            found = next((ended[name] for name in names if ended[name] != "skipped"), "skipped")
            return "succeeded" if found == "skipped" and lenient and len(names) < len(items) else found
        case _:
            raise AssertionError(binding)


def model(node: Node, ended: Mapping[str, str]) -> str:
    if node.within is not None and ended[node.within] in BROKEN:
        return "fail"
    is_left_out = node.within is not None and ended[node.within] == "skipped"
    if is_left_out and not node.passes:
        return "skip"
    rule = STRICT if is_left_out else node.rule
    found = [counted(binding, ended, lenient=node.rule == STRICT) for binding in node.inputs.values()]
    strict = {binding.node for binding in node.inputs.values() if isinstance(binding, Output)}
    said = ruled(rule, [*found, *(ended[name] for name in node.after if name not in strict)])
    return "skip" if is_left_out and said != "fail" else said


@settings(max_examples=500, deadline=None)
@given(
    one=nodes(),
    outcomes=st.fixed_dictionaries({name: st.sampled_from(OUTCOMES) for name in ("a", "b", "c", "d", "branch")}),
    data=st.data(),
)
async def test_any_gate_in_any_order_decides_once_and_as_the_model(one: Node, outcomes: dict[str, str], data: st.DataObject) -> None:
    order = data.draw(st.permutations(sorted(upstream(one))))
    ear = Ear(one)
    for name in order:
        already = ear.verdict
        said = await ear.tell(name, outcomes[name])
        if already is None and said in ("run", "ask"):
            ear.assert_values_are_known(one)
        if said == "ask":
            assert all(ear.futures[other].done() for dependency in dependencies(one) for other in dependency.nodes)
    await turns(2)
    assert [verdict for verdict, _ in ear.heard] == [model(one, outcomes)]
