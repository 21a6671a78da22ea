"""Every trigger rule over every table of upstream outcomes, against one line of plain words about sets for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations_with_replacement, permutations

import pytest

from eventflow.definition.options import PREDICATE, RULES
from eventflow.engine.rules import Tally, Verdict, verdict

GOOD, SKIPPED = "succeeded", "skipped"
BROKEN = frozenset({"failed", "upstream_failed", "cancelled"})
OUTCOMES = (GOOD, SKIPPED, *sorted(BROKEN))
MOST = 4

RUN, SKIP, FAIL, ASK = Verdict.RUN, Verdict.SKIP, Verdict.FAIL, Verdict.ASK

Ended = frozenset[str]
"""The different outcomes that there were, whatever their number: no rule counts further than to one."""


def is_broken(ended: Ended) -> bool:
    return bool(ended & BROKEN)


SPECIFICATION: dict[str, Callable[[Ended], Verdict]] = {
    # Needs everything: a failure among what it needs makes it fail, else a skip makes it skipped.
    "all_success": lambda ended: FAIL if is_broken(ended) else SKIP if SKIPPED in ended else RUN,
    "none_failed": lambda ended: FAIL if is_broken(ended) else RUN,
    "none_failed_min_one_success": lambda ended: FAIL if is_broken(ended) else RUN if GOOD in ended else SKIP,
    # Needs one success: without it fails where something failed, and is skipped where nothing ran.
    "one_success": lambda ended: RUN if GOOD in ended else FAIL if is_broken(ended) else SKIP,
    "all_done_min_one_success": lambda ended: RUN if GOOD in ended else FAIL if is_broken(ended) else SKIP,
    # Is there for what went wrong, or for what was left out: otherwise there is nothing to do.
    "all_failed": lambda ended: RUN if ended <= BROKEN else SKIP,
    "one_failed": lambda ended: RUN if is_broken(ended) else SKIP,
    "all_skipped": lambda ended: RUN if ended == {SKIPPED} else SKIP,
    "none_skipped": lambda ended: SKIP if SKIPPED in ended else RUN,
    # Needs that something was tried.
    "one_done": lambda ended: SKIP if ended == {SKIPPED} else RUN,
    # Don't mind.
    "all_done": lambda ended: RUN,
    "always": lambda ended: RUN,
    PREDICATE: lambda ended: ASK,
}

WAITS_FOR_ALL = ("all_done", "all_done_min_one_success", "none_failed_min_one_success", "none_failed", "all_success", PREDICATE)


def tables() -> Iterator[tuple[str, ...]]:
    """Give all multisets of one to `MOST` outcomes."""
    for size in range(1, MOST + 1):
        yield from combinations_with_replacement(OUTCOMES, size)


def heard(rule: str, outcomes: tuple[str, ...], left: int = 0) -> list[Verdict | None]:
    """Give what a rule says before anything, and then after each outcome; `left` more are to come."""
    tally = Tally(len(outcomes) + left)
    said = [verdict(rule, tally)]
    for outcome in outcomes:
        tally.count(outcome)
        said.append(verdict(rule, tally))
    return said


def test_the_specification_is_about_all_rules() -> None:
    assert set(SPECIFICATION) == {*RULES, PREDICATE}


@pytest.mark.parametrize("rule", SPECIFICATION)
def test_a_rule_says_what_is_specified_once_all_have_ended(rule: str) -> None:
    for outcomes in tables():
        assert heard(rule, outcomes)[-1] is SPECIFICATION[rule](frozenset(outcomes)), outcomes


@pytest.mark.parametrize("rule", SPECIFICATION)
def test_in_every_order_of_arrival_the_first_answer_is_the_last_one(rule: str) -> None:
    for outcomes in tables():
        wanted = SPECIFICATION[rule](frozenset(outcomes))
        for order in set(permutations(outcomes)):
            assert {said for said in heard(rule, order) if said is not None} == {wanted}, order


@pytest.mark.parametrize("rule", SPECIFICATION)
def test_a_rule_answers_as_soon_as_whatever_comes_gives_the_same_answer(rule: str) -> None:
    for known in tables():
        for left in range(1, 3):
            later = [frozenset((*known, *rest)) for rest in combinations_with_replacement(OUTCOMES, left)]
            possible = {SPECIFICATION[rule](ended) for ended in later}
            said = heard(rule, known, left)[-1]
            assert said is None or possible == {said}, (known, left)
            if rule not in WAITS_FOR_ALL:
                assert (said is not None) is (len(possible) == 1), (known, left)


@pytest.mark.parametrize("rule", ["all_success", "none_failed", "none_failed_min_one_success"])
def test_a_failure_is_told_at_once(rule: str) -> None:
    for broken in BROKEN:
        assert heard(rule, (broken,), left=3)[-1] is FAIL


def test_only_always_answers_before_anything_has_ended() -> None:
    assert [rule for rule in SPECIFICATION if heard(rule, (), left=1)[-1] is not None] == ["always"]


@pytest.mark.parametrize("rule", SPECIFICATION)
def test_with_nothing_upstream_a_node_runs_whatever_its_rule(rule: str) -> None:
    assert heard(rule, ()) == [ASK if rule == PREDICATE else RUN]
