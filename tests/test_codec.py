from __future__ import annotations

import math
import os
from collections import Counter, OrderedDict, defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, IntEnum, StrEnum
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventflow import codec
from eventflow.errors import NotFinite, ValueNotStorable


@dataclass
class Point:
    x: float
    tags: list[str]
    origin: Path | None = None


class Pair(NamedTuple):
    left: int
    right: str


class Colour(Enum):
    RED = "red"


class Own:
    pass


class Other:
    pass


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4),
    max_leaves=20,
)
paths = st.binary(max_size=30).map(lambda raw: Path(os.fsdecode(raw)))


@given(plain)
def test_plain_values_come_back_equal_and_of_the_same_types(value: object) -> None:
    again = codec.decode(codec.encode(value))
    assert again == value
    assert repr(again) == repr(value) or isinstance(value, dict | list)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.integers()))
def test_equal_values_give_the_same_bytes(value: dict[str, int]) -> None:
    assert codec.encode(value) == codec.encode(dict(reversed(value.items())))


@given(paths)
def test_paths_carry_any_bytes(path: Path) -> None:
    assert codec.decode(codec.encode(path)) == path
    assert codec.decode(codec.encode(path, Path), Path) == path
    assert codec.decode(codec.encode({"at": [path]})) == {"at": [path]}


@given(
    st.builds(
        Point,
        st.floats(allow_nan=False, allow_infinity=False),
        st.lists(st.text(st.characters(exclude_categories=["Cs"]))),
        paths | st.none(),
    )
)
def test_an_annotated_dataclass_comes_back(point: Point) -> None:
    assert codec.decode(codec.encode(point, Point), Point) == point


@pytest.mark.parametrize(
    ("value", "annotation"),
    [
        ((1, "a"), tuple[int, str]),
        (Pair(1, "a"), Pair),
        ({3, 4}, set[int]),
        ({1: "a"}, dict[int, str]),
        ({Colour.RED: 1}, dict[Colour, int]),
        (b"raw", bytes),
        (Colour.RED, Colour),
        (datetime(2026, 1, 2, tzinfo=UTC), datetime),
        (UUID(int=7), UUID),
        (PurePosixPath("/x"), PurePosixPath),
        (2**80, int),
        (5, int | Own),
        ("x", Own | Other),
        (Path("x"), Path | None),
    ],
)
def test_richer_values_come_back_under_their_annotation(value: object, annotation: object) -> None:
    again = codec.decode(codec.encode(value, annotation), annotation)
    assert again == value
    assert type(again) is type(value)


@pytest.mark.parametrize(
    ("value", "annotation", "says"),
    [
        ((1, 2), Any, "tuple comes back from JSON as something else; annotate it"),
        (Point(1, []), Any, "Point comes back"),
        (b"raw", Any, "bytes comes back"),
        (1, str, "int doesn't fit its annotation: Expected `str`, got `int`"),
        (["a"], list[int], r"list doesn't fit its annotation: Expected `int`, got `str` - at `\$\[0\]`"),
        (True, int, "bool doesn't fit"),
        ("x", Path, "str comes back"),
        (1j, Any, "builtins.complex can't be written as JSON"),
        (Own(), Any, "Own can't be written as JSON"),
        ([Own()], list[Own], "Own can't be written as JSON"),
        ("\ud800", str, "surrogates not allowed"),
        ({"$path": "x"}, Any, "dict comes back"),
    ],
)
def test_what_json_would_change_is_refused(value: object, annotation: object, says: str) -> None:
    with pytest.raises(ValueNotStorable, match=says):
        codec.encode(value, annotation)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    ("around", "annotation", "place"),
    [
        (lambda x: x, Any, "its top"),
        (lambda x: {"a": [1, x]}, Any, r"\['a'\]\[1\]"),
        (lambda x: Point(x, []), Point, r"\.x"),
    ],
)
def test_numbers_that_are_not_finite_are_refused_with_their_place(number: float, around: Any, annotation: object, place: str) -> None:
    with pytest.raises(NotFinite, match=place):
        codec.encode(around(number), annotation)


def test_a_value_that_holds_itself_is_refused() -> None:
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(ValueNotStorable, match="recursion"):
        codec.encode(endless)


@pytest.mark.parametrize("value", [{"$path": 5}, {"$path64": "no base64!"}, {"$path64": None}, {"$path": "x", "more": 1}])
def test_dicts_that_only_look_like_paths_stay_dicts(value: object) -> None:
    assert codec.decode(codec.encode(value)) == value


class Colour(StrEnum):
    RED = "red"


class Size(IntEnum):
    BIG = 1


@pytest.mark.parametrize("value", [Colour.RED, Size.BIG, Counter("aab"), OrderedDict(a=1), defaultdict(int, a=1), [{"in": Colour.RED}]])
def test_without_an_annotation_a_value_that_only_equals_its_json_is_refused(value: object) -> None:
    with pytest.raises(ValueNotStorable, match="annotate it with its type"):
        codec.encode(value)


def test_under_its_annotation_an_enum_comes_back() -> None:
    assert codec.decode(codec.encode(Colour.RED, Colour), Colour) is Colour.RED
    assert codec.decode(codec.encode(Size.BIG, Size), Size) is Size.BIG


def test_numpy_numbers_become_python_numbers() -> None:
    numpy = pytest.importorskip("numpy")
    assert codec.encode({"accuracy": numpy.float64(0.5), "rows": numpy.int64(3)}) == b'{"accuracy":0.5,"rows":3}'


def test_a_value_that_does_not_fit_is_refused_when_read() -> None:
    with pytest.raises(msgspec.ValidationError, match="Expected `int`"):
        codec.decode(b'"x"', int)
    with pytest.raises(msgspec.ValidationError, match="expected Path, got int"):
        codec.decode(b"5", Path)


@pytest.mark.parametrize(
    ("data", "names"),
    [(Point, ("x", "tags", "origin")), (Point(1, [], Path("/")), ("x", "tags", "origin")), (Pair(1, "a"), ("left", "right")), ((1, 2), ())],
)
def test_fields_are_named_of_values_and_of_classes(data: object, names: tuple[str, ...]) -> None:
    assert codec.field_names(data) == names


def test_a_digest_is_blake2b_256() -> None:
    assert codec.digest(b"") == "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8"


def test_schemas_share_their_definitions() -> None:
    shapes, defs = codec.schemas([Point, list[Point], Path, Own, Own | Other, Any])
    assert shapes[:3] == [
        {"$ref": "#/$defs/Point"},
        {"type": "array", "items": {"$ref": "#/$defs/Point"}},
        {"type": "string", "format": "path"},
    ]
    assert [set(shape) for shape in shapes[3:]] == [{"description"}, {"description"}, set()]
    assert list(defs) == ["Point"]
