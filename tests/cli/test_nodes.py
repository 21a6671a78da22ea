"""What a row of `show` says of a node, from the answer alone."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from eventflow.cli import nodes
from eventflow.server.answers import NodeDetail, RunDetail, RunEntry, ShownValue

EMPTY: dict[str, Any] = dict.fromkeys(NodeDetail.__struct_fields__) | {"node": "n", "upstream": [], "attempts": []}
NO_RUN: dict[str, Any] = dict.fromkeys(RunEntry.__struct_fields__)


def about(**node: Any) -> object:
    """Give the last column of a node's row."""
    detail = NodeDetail(**EMPTY | node)
    found = RunDetail(RunEntry(**NO_RUN), msgspec.Raw(b"{}"), "g", [detail], [], [], None, None, None)
    ((*_, said),) = nodes.rows(found)
    return said


@pytest.mark.parametrize(
    ("node", "said"),
    [
        ({"reason": "deadline", "timed_out": True}, "true (the default, as its time came)"),
        ({"reason": "deadline", "timed_out": False}, "true (from deadline)"),
        ({"reason": "ada", "timed_out": False}, "true (from ada)"),
        ({"reason": None, "timed_out": False}, "true"),
    ],
)
def test_a_result_is_told_with_who_gave_it_and_a_deadline_is_nobody(node: dict[str, Any], said: str) -> None:
    assert about(state="succeeded", ended_at=1, result=ShownValue(True, None), **node) == said


def test_a_queued_node_waits_for_what_it_uses_only_where_it_has_limits() -> None:
    assert about(state="queued", reason="limit") == "waits for what it uses"
    assert about(state="queued") == "starts as soon as there is room"
