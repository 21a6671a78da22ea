from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Optional, Protocol, TypedDict

import pytest

from eventflow.definition import annotations
from eventflow.definition.graph import Attribute, Item, Step

if TYPE_CHECKING:
    from decimal import Decimal


@dataclass
class Data:
    train: list[int]
    hidden: Decimal


class Pair(NamedTuple):
    left: int
    right: str


class Shape(TypedDict):
    rows: int


class Runs(Protocol):
    def run(self) -> None: ...


class Colour(StrEnum):
    RED = "red"


class Child(Data):
    pass


class Unrelated:
    pass


def known(x: int, hidden: Decimal, y: Path) -> Data:
    raise NotImplementedError


def test_annotations_that_resolve_are_kept_when_one_does_not() -> None:
    assert annotations.of_function(known) == {"x": int, "y": Path, "return": Data}


@pytest.mark.parametrize(
    ("annotation", "step", "expected"),
    [
        (Data, Attribute("train"), list[int]),
        (Data, Attribute("hidden"), Any),
        (Data, Attribute("unknown"), Any),
        (Annotated[Data, "note"], Attribute("train"), list[int]),
        (Any, Attribute("x"), Any),
        (list[int], Attribute("x"), Any),
        (list[int], Item(3), int),
        (Sequence[str], Item(0), str),
        (tuple[int, ...], Item(7), int),
        (tuple[int, str], Item(1), str),
        (tuple[int, str], Item(-1), str),
        (tuple[int, str], Item(2), Any),
        (Pair, Item(1), str),
        (Pair, Attribute("left"), int),
        (dict[str, int], Item("x"), int),
        (Shape, Item("rows"), int),
        (dict, Item("x"), Any),
        (int, Item(0), Any),
    ],
    ids=repr,
)
def test_a_part_has_the_annotation_that_is_certain(annotation: object, step: Step, expected: object) -> None:
    assert annotations.part(annotation, step) == expected


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (tuple[int, str], (int, str)),
        (tuple[()], ()),
        (Pair, (int, str)),
        (tuple[int, ...], None),
        (tuple, None),
        (list[int], None),
        (Any, None),
    ],
    ids=repr,
)
def test_a_length_is_fixed_by_tuples_and_named_tuples(annotation: object, expected: object) -> None:
    assert annotations.fixed_parts(annotation) == expected


@pytest.mark.parametrize(
    ("given", "wanted"), [(int, str), (str, Path), (Data, Unrelated), (type(None), int), (list, dict), (float, int), (dict, Data)], ids=repr
)
def test_unrelated_plain_classes_clash(given: object, wanted: object) -> None:
    assert annotations.clash(given, wanted)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        *[(kind, kind) for kind in (int, Data, Path)],
        (Child, Data),
        (Data, Child),
        (int, float),
        (bool, float),
        (int, object),
        (object, int),
        (Any, int),
        (int, Any),
        (int, int | str),
        (list[int], dict),
        (Data, Runs),
        (dict, Shape),
        (list, Sequence),
        (Path, PurePath),
    ],
    ids=repr,
)
def test_what_may_fit_does_not_clash(given: object, wanted: object) -> None:
    assert not annotations.clash(given, wanted)


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [(Path, Path), (Path | None, Path), (Annotated[PurePath, 1], PurePath), (str | Path, None), (str, None), (Any, None)],
    ids=repr,
)
def test_a_text_becomes_a_path_where_no_text_is_wanted(annotation: object, kind: object) -> None:
    assert annotations.path_class(annotation) is kind


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (str, True),
        (Path, True),
        (str | None, True),
        (Path | None, True),
        (None, False),
        (int, False),
        (str | int, False),
        (Colour, False),
        (Any, False),
    ],
    ids=repr,
)
def test_texts_and_paths_are_typed_as_they_stand(annotation: object, expected: bool) -> None:
    assert annotations.is_text(annotation) is expected


def test_tuples_are_told_from_lists() -> None:
    assert all(annotations.is_tuple(one) for one in (tuple, tuple[int, ...], Annotated[tuple[int], 1]))
    assert not any(annotations.is_tuple(one) for one in (list[int], Any, Sequence[int]))


@pytest.mark.parametrize(
    ("annotation", "written"),
    [
        (int, "int"),
        (type(None), "None"),
        (list[int], "list[int]"),
        (int | None, "int | None"),
        (Optional[Data], "Data | None"),  # noqa: UP045  # which users write too
        (Any, "Any"),
        (Data, "Data"),
        (dict[str, list[Data]], "dict[str, list[Data]]"),
        (tuple[Data, ...], "tuple[Data, ...]"),
        (Literal["a", "b"], "Literal['a', 'b']"),
    ],
    ids=repr,
)
def test_annotations_are_written_for_a_person(annotation: object, written: str) -> None:
    assert annotations.text(annotation) == written


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (list[int], (int,)),
        (Annotated[list[int], "many"] | None, (int,)),
        (tuple[int, str], (int, str)),
        (tuple[int, ...], (int,)),
        (set[str] | frozenset[int], (str, int)),
        (Sequence[Data], (Data,)),
        (list, (Any,)),
        (Any, ()),
        (str, ()),
        (dict[str, int], ()),
    ],
)
def test_an_item_has_the_annotations_that_are_certain(annotation: object, expected: object) -> None:
    assert annotations.items(annotation) == expected


@pytest.mark.parametrize("annotation", [int, None, type(None), str, bytes, dict[str, int], Shape, Data, Path, Colour, int | str, Runs])
def test_what_has_no_items_is_no_list(annotation: object) -> None:
    assert annotations.is_no_list(type(None) if annotation is None else annotation)


@pytest.mark.parametrize(
    "annotation", [list, list[int], tuple[int], Pair, set[int], Sequence[int], Iterable[int], Any, object, "?", list[int] | None], ids=repr
)
def test_what_may_have_items_may_be_a_list(annotation: object) -> None:
    assert not annotations.is_no_list(annotation)


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (int, True),
        (Data, True),
        (int | str, True),
        (int | None, False),
        (type(None), False),
        (Any, False),
        (object, False),
        (list[int], True),
        (Hashable, False),
        ("?", False),
    ],
)
def test_none_is_refused_where_that_is_certain(annotation: object, expected: bool) -> None:
    assert annotations.refuses_none(annotation) is expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((int, int), int),
        ((int, str), int | str),
        ((int, type(None)), int | None),
        ((int, Any), Any),
        ((int, []), Any),
        ((list[int], int), list[int] | int),
    ],
)
def test_a_value_of_one_of_several_annotations_has_their_union(given: tuple[object, ...], expected: object) -> None:
    assert annotations.union(given) == expected
