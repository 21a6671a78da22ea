from __future__ import annotations

import linecache
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from eventflow.definition import fingerprints
from eventflow.definition.options import MapOptions, TaskOptions
from eventflow.definition.retries import Retry

WRITTEN = '''
    def load(x, y=1):
        """Load it."""
        def inner():
            "Doc."
            return {1, 2, "three"}
        return inner(), x + y  # the sum
'''


@pytest.fixture
def written() -> Iterator[Callable[[str], Callable[..., object]]]:
    """Gives the function `load` of a source, as if it stood in a file."""
    files: list[str] = []
    numbers = count()

    def make(source: str) -> Callable[..., object]:
        name, source = f"<written {next(numbers)}>", textwrap.dedent(source)
        files.append(name)
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        return _compiled(source, name)

    yield make
    for name in files:
        del linecache.cache[name]


def _compiled(source: str, name: str = "<nowhere>") -> Callable[..., object]:
    scope: dict[str, Any] = {"deco": lambda fn: fn, "__name__": "made_up"}
    exec(compile(textwrap.dedent(source), name, "exec"), scope)
    return scope["load"]


SAME = {
    "other comments and layout": WRITTEN.replace("  # the sum", "\n\n    # nothing").replace("x, y=1", "x,\n        y=1"),
    "no docstrings": WRITTEN.replace('"""Load it."""', "").replace('"Doc."', ""),
    "another docstring": WRITTEN.replace("Load it.", "Load them all."),
    "a decorator": WRITTEN.replace("def load", "@deco\n    def load"),
    "lower down": "\n\n\n" + WRITTEN,
    "deeper": textwrap.indent(WRITTEN, "").replace("    def load", "    if True:\n     def load").replace("\n        ", "\n           "),
}
OTHER = {
    "another constant": WRITTEN.replace("y=1", "y=2"),
    "another operator": WRITTEN.replace("x + y", "x - y"),
    "another inner function": WRITTEN.replace('"three"', '"four"'),
    "another annotation": WRITTEN.replace("(x,", "(x: int,"),
    "async": WRITTEN.replace("def load", "async def load"),
}


@pytest.mark.parametrize("source", SAME.values(), ids=SAME)
def test_what_changes_nothing_leaves_the_fingerprint(written: Callable[[str], Callable[..., object]], source: str) -> None:
    assert fingerprints.of_function(written(source)) == fingerprints.of_function(written(WRITTEN))


@pytest.mark.parametrize("source", OTHER.values(), ids=OTHER)
def test_another_program_has_another_fingerprint(written: Callable[[str], Callable[..., object]], source: str) -> None:
    assert fingerprints.of_function(written(source)) != fingerprints.of_function(written(WRITTEN))


@pytest.mark.parametrize("source", [SAME["another docstring"], SAME["lower down"], SAME["other comments and layout"]])
def test_without_source_the_bytecode_is_as_blind(source: str) -> None:
    assert fingerprints.of_function(_compiled(source)) == fingerprints.of_function(_compiled(WRITTEN))


@pytest.mark.parametrize("name", ["another operator", "another inner function", "async"])
def test_without_source_another_program_is_seen(name: str) -> None:
    assert fingerprints.of_function(_compiled(OTHER[name])) != fingerprints.of_function(_compiled(WRITTEN))


def test_two_lambdas_of_one_line_differ() -> None:
    one, other = (lambda x: x + 1), (lambda x: x + 2)
    assert fingerprints.of_function(one) != fingerprints.of_function(other)


def test_a_function_that_is_not_python_has_a_fingerprint() -> None:
    assert fingerprints.of_function(len) != fingerprints.of_function(max)


def test_a_function_among_the_options_counts_by_its_code(written: Callable[[str], Callable[..., Any]]) -> None:
    one, same, other = written(WRITTEN), written(SAME["lower down"]), written(OTHER["another operator"])

    def of(**options: Any) -> str:
        return fingerprints.with_options("code", TaskOptions(**options))

    assert of(rule=one) == of(rule=same) != of(rule=other)
    assert of(retry=Retry(when=one)) == of(retry=Retry(when=same)) != of(retry=Retry(when=other))


def test_the_classes_of_a_retry_count() -> None:
    one, other = (fingerprints.with_options("code", TaskOptions(retry=Retry(on=(kind,)))) for kind in (OSError, KeyError))
    assert one != other


@dataclass
class Point:
    x: int
    y: int


class Threshold:
    """A rule that is an object: its repr holds an address."""

    def __call__(self, states: Mapping[str, str]) -> bool:
        return bool(states)


@pytest.mark.parametrize(
    ("value", "same"),
    [
        (Threshold(), Threshold()),
        (object(), object()),
        (Point(1, 2), Point(1, 2)),
        ({"b": [1], "a": Path("x")}, {"a": Path("x"), "b": [1]}),
    ],
    ids=["callable", "object", "data", "plain"],
)
def test_no_option_counts_by_its_address(value: object, same: object) -> None:
    one, other = (fingerprints.with_options("code", TaskOptions(fallback=fallback)) for fallback in (value, same))
    assert one == other


def test_a_fallback_counts_by_its_content() -> None:
    values = [None, 1, "1", {"a": 1}, {"a": 2}, Point(1, 2), Point(1, 3), Path("x"), [Point(1, 2)]]
    assert len({fingerprints.with_options("code", TaskOptions(fallback=value)) for value in values}) == len(values)


def test_options_left_as_they_are_built_in_do_not_count() -> None:
    assert fingerprints.with_options("code", TaskOptions(max_crashes=3, retry=Retry(attempts=1)), MapOptions()) == (
        fingerprints.with_options("code", TaskOptions())
    )


def test_the_options_of_a_map_count() -> None:
    plain = fingerprints.with_options("code", TaskOptions())
    assert fingerprints.with_options("code", TaskOptions(), MapOptions(min_success=0.5)) != plain


def test_hooks_do_not_count_because_they_are_nodes() -> None:
    assert fingerprints.with_options("code", TaskOptions(on_failure=("x",))) == fingerprints.with_options("code", TaskOptions())


def test_options_count() -> None:
    plain = fingerprints.with_options("code", TaskOptions())
    assert fingerprints.with_options("code", TaskOptions(retry=Retry(attempts=2))) != plain
    assert fingerprints.with_options("code", TaskOptions(timeout="5m")) != plain
    assert fingerprints.with_options("other code", TaskOptions()) != plain
