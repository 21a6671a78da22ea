"""Laws of the folder that import-linter doesn't know. The layers themselves are contracts in pyproject.toml."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

LIBRARY = Path(__file__).parents[1] / "eventflow"
PURE = ("errors", "codec", "ids", "durations", "escapes", "definition", "events", "context", "facts", "states", "projections")
ROOTS = ("__init__", "__main__", "embed", "cli", "daemon")


def sources(*, within: tuple[str, ...] = (), without: tuple[str, ...] = ()) -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(LIBRARY.rglob("*.py")):
        place = path.relative_to(LIBRARY)
        top = place.parts[0].removesuffix(".py")
        if (not within or top in within) and top not in without:
            yield str(place), ast.parse(path.read_text(encoding="utf-8"))


def test_definitions_facts_and_projections_never_wait() -> None:
    waits = (ast.Await, ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith)
    found = [f"{place}:{node.lineno}" for place, tree in sources(within=PURE) for node in ast.walk(tree) if isinstance(node, waits)]
    assert found == []


def test_only_the_composition_roots_import_the_package_itself() -> None:
    found = [
        f"{place}:{node.lineno}"
        for place, tree in sources(without=ROOTS)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        and node.module == "eventflow"
        and any(not (LIBRARY / f"{name.name}.py").exists() and not (LIBRARY / name.name).is_dir() for name in node.names)
    ]
    assert found == []


def test_no_module_bears_the_name_of_a_public_object() -> None:
    package = ast.parse((LIBRARY / "__init__.py").read_text(encoding="utf-8"))
    public = {name.asname or name.name for node in ast.walk(package) if isinstance(node, ast.ImportFrom) for name in node.names}
    modules = {path.stem for path in LIBRARY.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert public
    assert public & modules == set()
