"""What README and docs/ show: every Python example runs, every settings example parses, every link leads somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.docs.pages import BLOCK, PAGES, ROOT, blocks, name, script

LINK = re.compile(r"\]\((?!https?:|mailto:)(?P<target>[^)#\s]*)(?:#(?P<anchor>[^)\s]*))?\)")
HEADING = re.compile(r"^#+ (?P<text>.+)$", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_python_examples_run_in_the_order_of_their_page(page: Path, tmp_path: Path) -> None:
    file = tmp_path / "page.py"
    file.write_text(script(page), encoding="utf-8")
    command = [sys.executable, "-W", "error", str(file)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(command, cwd=tmp_path, env=env, check=False, capture_output=True, text=True, timeout=50)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_examples_marked_as_only_shown_are_python_all_the_same(page: Path) -> None:
    for block in BLOCK.finditer(page.read_text(encoding="utf-8")):
        if block["language"] == "python":
            compile(block["body"], name(page), "exec")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_settings_examples_parse(page: Path) -> None:
    for body in blocks(page, "toml"):
        tomllib.loads(body)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    broken = [
        link[0] for link in LINK.finditer(page.read_text(encoding="utf-8")) if not leads_somewhere(page, link["target"], link["anchor"])
    ]
    assert broken == []


def leads_somewhere(page: Path, target: str, anchor: str | None) -> bool:
    there = (page.parent / unquote(target)).resolve() if target else page
    if not there.exists():
        return False
    return not anchor or there.suffix != ".md" or anchor in anchors(there)


def anchors(page: Path) -> set[str]:
    headings = HEADING.finditer(page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading["text"].lower()).strip().replace(" ", "-") for heading in headings}


def test_there_are_pages_to_check() -> None:
    assert ROOT / "README.md" in PAGES


def test_an_example_and_a_link_that_are_broken_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A word\n```python\nraise SystemExit(3)\n```\n```python shown\nx\n```\n[a](#a-word) [b](no.md)\n", encoding="utf-8")
    assert blocks(page, "python") == ["raise SystemExit(3)\n"]
    assert leads_somewhere(page, "", "a-word")
    assert not leads_somewhere(page, "", "b")
    assert not leads_somewhere(page, "no.md", None)
