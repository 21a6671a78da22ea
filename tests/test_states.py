from __future__ import annotations

from typing import get_args

import pytest

from eventflow import facts, states
from eventflow.facts import Fact
from eventflow.states import NODE, RUN, IllegalTransition, Transition, apply

STARTED = facts.AttemptStarted("r", "n", 1)
TABLES = [RUN, NODE]


def test_a_legal_fact_leads_on() -> None:
    assert apply(NODE, states.PENDING, STARTED) == states.RUNNING
    assert apply(RUN, states.QUEUED, facts.RunStarted("r")) == states.RUNNING


def test_a_fact_without_a_target_leaves_the_state() -> None:
    for state in states.OPEN_RUN:
        assert apply(RUN, state, facts.CancelRequested("r")) == state
    assert apply(NODE, states.RUNNING, facts.CheckpointSaved("r", "n", 1, 2)) == states.RUNNING


def test_an_illegal_fact_is_refused_with_what_would_be_legal() -> None:
    with pytest.raises(IllegalTransition, match="AttemptStarted can't follow on 'succeeded', only on pending or queued or retrying"):
        apply(NODE, states.SUCCEEDED, STARTED)


@pytest.mark.parametrize(("table", "ended"), [(RUN, states.ENDED_RUN), (NODE, states.ENDED_NODE)])
def test_nothing_follows_on_an_end(table: dict[type[Fact], Transition], ended: frozenset[str]) -> None:
    assert not ended & {source for transition in table.values() for source in transition.sources}


@pytest.mark.parametrize(("table", "begin", "ended"), [(RUN, states.QUEUED, states.ENDED_RUN), (NODE, states.PENDING, states.ENDED_NODE)])
def test_every_state_can_be_reached_and_from_each_there_is_a_way_to_an_end(
    table: dict[type[Fact], Transition], begin: str, ended: frozenset[str]
) -> None:
    ways = {(source, one.to or source) for one in table.values() for source in one.sources}
    all_states = {state for way in ways for state in way}
    assert reached({begin}, ways) == all_states
    assert reached(set(ended), {(to, source) for source, to in ways}) == all_states


def reached(found: set[str], ways: set[tuple[str, str]]) -> set[str]:
    while new := {to for source, to in ways if source in found} - found:
        found = found | new
    return found


def test_the_tables_know_every_fact_about_runs_and_nodes() -> None:
    known = set(RUN) | set(NODE)
    about = {kind for kind in get_args(Fact) if "run" in kind.__struct_fields__ and kind not in (facts.RunSubmitted, facts.DecisionMade)}
    assert about == known
    assert not set(RUN) & set(NODE)
