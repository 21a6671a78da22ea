"""What docs/guarantees.md promises is proved by tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`(?P<file>tests/[\w/]+\.py)::(?P<test>\w+)`")
PROMISE = re.compile(r"^\| \*\*(?P<promise>G\d+) .*$", re.MULTILINE)
PROOFS = sorted({(named["file"], named["test"]) for named in NAMED.finditer(PAGE)})


@pytest.mark.parametrize(("file", "test"), PROOFS)
def test_a_proof_that_is_named_exists(file: str, test: str) -> None:
    assert test in collected(ROOT / file)


def test_every_promise_names_a_proof() -> None:
    promises = {row["promise"]: len(NAMED.findall(row[0])) for row in PROMISE.finditer(PAGE)}
    assert {"G1", "G4", "G5", "G6", "G7", "G8", "G10", "G13", "G15", "G16", "G17", "G20", "G21"} <= promises.keys()
    assert [promise for promise, proofs in promises.items() if not proofs] == []


def test_a_proof_that_is_written_otherwise_is_not_overlooked() -> None:
    assert len(NAMED.findall(PAGE)) == PAGE.count("tests/")


def collected(file: Path) -> set[str]:
    """Give the tests of a file that are collected: functions at its top level."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
