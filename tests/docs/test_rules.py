"""docs/graphs.md lists the trigger rules that there are, and says of each what else can become of its node."""

from __future__ import annotations

import re
from itertools import product

import pytest

from eventflow import states
from eventflow.definition.options import RULES
from eventflow.engine.rules import Tally, Verdict, verdict
from tests.docs.pages import ROOT

ROWS = dict(re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]*)\|$", (ROOT / "docs" / "graphs.md").read_text(encoding="utf-8"), re.MULTILINE))


def test_all_rules_are_listed() -> None:
    assert tuple(ROWS) == RULES


@pytest.mark.parametrize("rule", RULES)
def test_what_else_can_become_of_a_node_is_said(rule: str) -> None:
    others = {Verdict.FAIL: "`upstream_failed`", Verdict.SKIP: "skipped"}
    possible = {answer(rule, outcomes) for outcomes in product((states.SUCCEEDED, states.SKIPPED, states.FAILED), repeat=2)}
    assert {one for one, said in others.items() if said in ROWS[rule]} == possible - {Verdict.RUN}


def answer(rule: str, outcomes: tuple[str, ...]) -> Verdict | None:
    tally = Tally(len(outcomes))
    for state in outcomes:
        tally.count(state)
    return verdict(rule, tally)
