"""What SECURITY.md promises is proved by tests that exist."""

from __future__ import annotations

import re

import pytest

from tests.docs.pages import ROOT
from tests.docs.test_guarantees import NAMED, collected

PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
PROMISED = PAGE[PAGE.index("## What is promised") : PAGE.index("## Reporting")]
ROWS = re.findall(r"^\| (?!promise )[^-].*$", PROMISED, re.MULTILINE)
PROOFS = sorted({(named["file"], named["test"]) for named in NAMED.finditer(PROMISED)})


@pytest.mark.parametrize(("file", "test"), PROOFS)
def test_a_proof_that_is_named_exists(file: str, test: str) -> None:
    assert test in collected(ROOT / file)


def test_every_promise_names_a_proof() -> None:
    assert len(ROWS) >= 20
    assert [row for row in ROWS if not NAMED.search(row)] == []


def test_a_proof_that_is_written_otherwise_is_not_overlooked() -> None:
    assert len(NAMED.findall(PAGE)) == PAGE.count("tests/")
