"""Every trigger rule over every table of upstream outcomes, against the one line of plain words about sets that the model has for it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations_with_replacement, permutations

import pytest

from eventflow.definition import options
from eventflow.engine.rules import Tally, Verdict, verdict
from tests.engine.graph_model import BROKEN, OUTCOMES, PREDICATE, RULES, ruled

MOST = 4
WAITS_FOR_ALL = ("all_done", "all_done_min_one_success", "none_failed_min_one_success", "none_failed", "all_success", PREDICATE)


def tables() -> Iterator[tuple[str, ...]]:
    """Give all multisets of one to `MOST` outcomes."""
    for size in range(1, MOST + 1):
        yield from combinations_with_replacement(OUTCOMES, size)


def heard(rule: str, outcomes: tuple[str, ...], left: int = 0) -> list[str | None]:
    """Give what a rule says before anything, and then after each outcome; `left` more are to come."""
    tally = Tally(len(outcomes) + left)
    said = [_said(rule, tally)]
    for outcome in outcomes:
        tally.count(outcome)
        said.append(_said(rule, tally))
    return said


def _said(rule: str, tally: Tally) -> str | None:
    found = verdict(rule, tally)
    return None if found is None else found.value


def test_the_specification_is_about_all_rules() -> None:
    assert set(RULES) == {*options.RULES, options.PREDICATE}


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_says_what_is_specified_once_all_have_ended(rule: str) -> None:
    for outcomes in tables():
        assert heard(rule, outcomes)[-1] == ruled(rule, outcomes), outcomes


@pytest.mark.parametrize("rule", RULES)
def test_in_every_order_of_arrival_the_first_answer_is_the_last_one(rule: str) -> None:
    for outcomes in tables():
        for order in set(permutations(outcomes)):
            assert {said for said in heard(rule, order) if said is not None} == {ruled(rule, outcomes)}, order


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_answers_as_soon_as_whatever_comes_gives_the_same_answer(rule: str) -> None:
    for known in tables():
        for left in range(1, 3):
            possible = {ruled(rule, (*known, *rest)) for rest in combinations_with_replacement(OUTCOMES, left)}
            said = heard(rule, known, left)[-1]
            assert said is None or possible == {said}, (known, left)
            if rule not in WAITS_FOR_ALL:
                assert (said is not None) is (len(possible) == 1), (known, left)


@pytest.mark.parametrize("rule", ["all_success", "none_failed", "none_failed_min_one_success"])
def test_a_failure_is_told_at_once(rule: str) -> None:
    for broken in BROKEN:
        assert heard(rule, (broken,), left=3)[-1] == Verdict.FAIL.value


def test_only_always_answers_before_anything_has_ended() -> None:
    assert [rule for rule in RULES if heard(rule, (), left=1)[-1] is not None] == ["always"]


@pytest.mark.parametrize("rule", RULES)
def test_with_nothing_upstream_a_node_runs_whatever_its_rule(rule: str) -> None:
    assert heard(rule, ()) == ["ask" if rule == PREDICATE else "run"]
