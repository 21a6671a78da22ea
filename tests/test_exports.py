"""What `import eventflow` gives, and what it leaves alone."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import eventflow

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])


def test_everything_imported_is_exported_in_order() -> None:
    source = ast.parse(Path(eventflow.__file__).read_text(encoding="utf-8"))
    nodes = [inner for node in source.body for inner in (node.body if isinstance(node, ast.If) else [node])]  # `if TYPE_CHECKING`
    modules = ("__future__", "importlib", "typing")
    imported = [name.name for node in nodes if isinstance(node, ast.ImportFrom) and node.module not in modules for name in node.names]
    assert eventflow.__all__ == sorted(imported)


def test_what_is_imported_late_is_what_type_checkers_are_told() -> None:
    source = ast.parse(Path(eventflow.__file__).read_text(encoding="utf-8"))
    told = {name.name: node.module for block in source.body if isinstance(block, ast.If) for node in block.body for name in node.names}
    assert told == eventflow._KINDS


def test_what_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'eventflow' has no attribute 'Nothing'"):
        eventflow.Nothing  # noqa: B018


@pytest.mark.parametrize("name", eventflow.__all__)
def test_every_export_says_what_it_is(name: str) -> None:
    assert (getattr(eventflow, name).__doc__ or "").strip()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_pages_import_nothing_that_is_not_exported(page: Path) -> None:
    for names in re.findall(r"^from eventflow import (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE):
        assert {name.strip() for name in names.split(",")} <= set(eventflow.__all__)


def test_embedding_brings_neither_the_web_nor_the_command_line() -> None:
    unwanted = {"starlette", "uvicorn", "httpx", "click", "rich", "structlog", "cronsim", "asyncpg", "sqlalchemy", "obstore"}
    code = f"import sys, eventflow; sys.exit(' '.join({unwanted!r} & set(sys.modules)) or None)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
