# ruff: noqa: C416, PLW0108, RUF005, SIM300, UP031, UP032  # what is written badly here is what is tested
from __future__ import annotations

import copy
import math
import os
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from eventflow.definition.graph import Attribute, Item, ListOf, Output, Parameter
from eventflow.definition.pipelines import Pipeline
from eventflow.definition.references import Reference
from eventflow.definition.tasks import task
from eventflow.errors import DefinitionError


@dataclass
class Data:
    train: dict[str, int]


class Pair(NamedTuple):
    left: int
    right: str


@task
def load() -> Data:
    raise NotImplementedError


@task
def anything() -> Any:
    raise NotImplementedError


@task
def split(data: Data) -> tuple[int, str]:
    raise NotImplementedError


@task
def pair() -> Pair:
    raise NotImplementedError


@task
def take(value: Any) -> Any:
    raise NotImplementedError


@task
def take_text(value: str) -> None:
    raise NotImplementedError


def graph_of(body: Callable[..., Any]) -> Any:
    return Pipeline("p", body).definition.graph


MISUSES: dict[str, Callable[[Any], object]] = {
    "if": lambda x: 1 if x else 2,
    "not": lambda x: not x,
    "and": lambda x: x and 1,
    "==": lambda x: x == 1,
    "== reversed": lambda x: "improved" == x,
    "!=": lambda x: x != 1,
    "<": lambda x: x < 1,
    "<=": lambda x: x <= 1,
    ">": lambda x: x > 1,
    ">=": lambda x: x >= 1,
    "in it": lambda x: 1 in x,
    "it in": lambda x: x in [1, 2],
    "hash": hash,
    "a set": lambda x: {x},
    "a dict's key": lambda x: {x: 1},
    "str": str,
    "f-string": lambda x: f"{x}",
    "f-string with width": lambda x: f"{x:>5}",
    "format": lambda x: "{}".format(x),
    "percent": lambda x: "%s" % x,
    "print": print,
    "bytes": bytes,
    "call": lambda x: x(),
    "a method": lambda x: x.upper(),
    "a function as item": lambda x: x["f"](1),
    "await": lambda x: x.__await__(),
    "async for": lambda x: x.__aiter__(),
    "with": lambda x: x.__enter__(),
    "async with": lambda x: x.__aenter__(),
    "for": lambda x: [item for item in x],
    "list": list,
    "unpacking": lambda x: [*x],
    "sum": sum,
    "len": len,
    "next": next,
    "reversed": reversed,
    "two stars": lambda x: {**x},
    "path": Path,
    "fspath": os.fspath,
    "open": open,
    "int": int,
    "float": float,
    "complex": complex,
    "index": lambda x: [1, 2][x],
    "range": range,
    "abs": abs,
    "round": round,
    "trunc": math.trunc,
    "floor": math.floor,
    "ceil": math.ceil,
    "+": lambda x: x + 1,
    "+ reversed": lambda x: 1 + x,
    "text +": lambda x: "a" + x,
    "list +": lambda x: [1] + x,
    "+=": lambda x: x.__iadd__(1) if hasattr(x, "__iadd__") else x + 1,
    "-": lambda x: x - 1,
    "*": lambda x: 2 * x,
    "@": lambda x: x @ x,
    "/": lambda x: x / 2,
    "//": lambda x: x // 2,
    "%": lambda x: x % 2,
    "divmod": lambda x: divmod(x, 2),
    "**": lambda x: x**2,
    "<<": lambda x: x << 1,
    "&": lambda x: x & 1,
    "|": lambda x: 1 | x,
    "^": lambda x: x ^ 1,
    "minus": lambda x: -x,
    "plus": lambda x: +x,
    "~": lambda x: ~x,
    "setting an item": lambda x: x.__setitem__("a", 1),
    "deleting an item": lambda x: x.__delitem__("a"),
    "setting an attribute": lambda x: setattr(x, "a", 1),
    "deleting an attribute": lambda x: delattr(x, "a"),
    "pickle": pickle.dumps,
    "a slice": lambda x: x[1:2],
    "a reference as key": lambda x: x[x],
    "a truth value as key": lambda x: x[True],
    "a number with a point as key": lambda x: x[1.5],
}


@pytest.mark.parametrize("misuse", MISUSES.values(), ids=MISUSES)
@pytest.mark.parametrize(
    "made", [lambda _: anything(), lambda _: anything().part["x"], lambda parameter: parameter], ids=["result", "part", "parameter"]
)
def test_what_needs_the_value_says_what_to_write_instead(misuse: Callable[[Any], object], made: Callable[[Any], Any]) -> None:
    def body(parameter: Any) -> Any:
        misuse(made(parameter))

    with pytest.raises(
        DefinitionError, match=r"needs the value of ['\"](anything|parameter)\b.*['\"], .*: .*(inside a task|leave await|use a list)"
    ) as caught:
        graph_of(body)
    assert caught.value.where is not None
    assert caught.value.where.startswith(f"{__file__}:")


def test_a_misuse_names_the_users_line(line: Callable[[str], str]) -> None:
    def body() -> None:
        data = load()
        if data:  # the misuse
            take(data)

    with pytest.raises(DefinitionError, match=r"a truth test .* needs the value of 'load'.*decide inside a task") as caught:
        graph_of(body)
    assert caught.value.where == line("the misuse")
    assert str(caught.value).startswith(line("the misuse"))


def test_attributes_and_items_are_projections() -> None:
    def body(given: Data) -> Any:
        return [load().train["x"], anything()[0].a[-1]["b"], given.train]

    assert graph_of(body).result == ListOf((
        Output("load", (Attribute("train"), Item("x"))),
        Output("anything", (Item(0), Attribute("a"), Item(-1), Item("b"))),
        Parameter("given", (Attribute("train"),)),
    ))  # fmt: skip


def test_a_result_of_fixed_length_can_be_unpacked() -> None:
    def body() -> Any:
        number, text = split(load())
        left, right = pair()
        return [number, text, left, right, *split(load()), len(pair())]

    items = graph_of(body).result.items
    assert items[:6] == (
        Output("split", (Item(0),)),
        Output("split", (Item(1),)),
        Output("pair", (Item(0),)),
        Output("pair", (Item(1),)),
        Output("split_2", (Item(0),)),
        Output("split_2", (Item(1),)),
    )
    assert bytes(items[6].json) == b"2"


def test_parts_keep_their_annotations() -> None:
    def body() -> None:
        number, _ = split(load())
        take_text(number)  # type: ignore[arg-type]

    with pytest.raises(DefinitionError, match=r"argument 'value' of task 'take_text' wants str, but 'split\[0\]' is int"):
        graph_of(body)


def test_unpacking_into_too_few_names_is_a_mistake_at_its_line(line: Callable[[str], str]) -> None:
    def body() -> None:
        _one, _two, _three = split(load())  # type: ignore[misc]  # unpacked wrongly

    with pytest.raises(DefinitionError, match="ValueError: not enough values to unpack") as caught:
        graph_of(body)
    assert caught.value.where == line("unpacked wrongly")


def test_unpacking_without_a_fixed_length_asks_for_an_annotation() -> None:
    def body() -> None:
        _one, _two = anything()

    with pytest.raises(DefinitionError, match=r"annotate the task's result with a fixed length, as in tuple\[int, str\]"):
        graph_of(body)


def test_an_item_beyond_a_fixed_length_is_refused() -> None:
    with pytest.raises(DefinitionError, match=r"split has 2 items: there is no \[2\]"):
        graph_of(lambda: split(load())[2])  # type: ignore[misc]


def test_a_reference_has_a_repr_and_no_attributes_that_python_asks_for() -> None:
    seen: list[Any] = []
    graph_of(lambda: seen.append(load().train["x"]))
    assert repr(seen[0]) == "<reference to load.train['x']>"
    assert not hasattr(seen[0], "__array__")
    assert isinstance(seen[0], Reference)


def test_a_copy_of_a_reference_stands_for_the_same_value() -> None:
    def body() -> None:
        data = load()
        assert copy.copy(data) is data
        assert copy.deepcopy([data])[0] is data

    graph_of(body)
