from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventflow.definition.functions import Function
from eventflow.definition.parameters import Parameters
from eventflow.errors import DefinitionError, ParameterError


@dataclass
class Window:
    size: int
    folder: Path | None = None


class Colour(Enum):
    RED = "red"


@dataclass
class Place:
    folder: Path = Path("w")


class Own:
    pass


class Other:
    pass


def retrain(
    path: Path, rates: list[float], mode: Literal["fast", "slow"] = "fast", window: Window | None = None, *, keep: bool = True
) -> None:
    """Take typed parameters."""


def of(fn: Callable[..., object]) -> Parameters:
    return Parameters("retrain", Function(fn), "file:1")


def test_the_schema_is_that_of_an_object_with_every_parameter() -> None:
    assert of(retrain).schema() == {
        "type": "object",
        "properties": {
            "path": {"type": "string", "format": "path"},
            "rates": {"type": "array", "items": {"type": "number"}},
            "mode": {"enum": ["fast", "slow"], "default": "fast"},
            "window": {"anyOf": [{"$ref": "#/$defs/Window"}, {"type": "null"}], "default": None},
            "keep": {"type": "boolean", "default": True},
        },
        "required": ["path", "rates"],
        "additionalProperties": False,
        "$defs": {
            "Window": {
                "title": "Window",
                "type": "object",
                "properties": {"size": {"type": "integer"}, "folder": {"anyOf": [{"type": "string", "format": "path"}, {"type": "null"}], "default": None}},
                "required": ["size"],
            }
        },
    }  # fmt: skip


def test_the_schema_describes_what_has_no_json_form_and_writes_paths_as_text() -> None:
    def fn(
        *,
        own: Own,
        either: Own | Other,
        place: Place,
        anything,
        at: list[Path] = [Path("a")],  # noqa: B006  # the default is what is tested
        short: Annotated[str, msgspec.Meta(max_length=3)] = "x",
    ) -> None:  # type: ignore[no-untyped-def]
        """Take odd things."""

    properties = of(fn).schema()["properties"]
    assert list(properties["own"]) == list(properties["either"]) == list(properties["place"]) == ["description"]
    assert properties["anything"] == {}
    assert properties["at"]["default"] == ["a"]
    assert properties["short"] == {"type": "string", "maxLength": 3, "default": "x"}
    assert json.dumps(of(fn).schema())


def test_arguments_become_canonical_json_with_the_defaults_filled_in() -> None:
    raw = of(retrain).encode({"rates": [1.0], "path": "x.csv", "window": Window(3)})
    assert raw == b'{"keep":true,"mode":"fast","path":{"$path":"x.csv"},"rates":[1.0],"window":{"folder":null,"size":3}}'


def test_stored_arguments_become_typed_values_again() -> None:
    parameters = of(retrain)
    values = parameters.decode(parameters.encode({"path": "x.csv", "rates": [1, 2.5], "window": Window(3)}))
    assert values == {"path": Path("x.csv"), "rates": [1.0, 2.5], "mode": "fast", "window": Window(3), "keep": True}
    assert [type(rate) for rate in values["rates"]] == [float, float]  # type: ignore[attr-defined]


@given(st.binary(max_size=20).map(os.fsdecode), st.lists(st.floats(allow_nan=False, allow_infinity=False)), st.booleans())
def test_any_arguments_that_fit_come_back(path: str, rates: list[float], keep: bool) -> None:
    parameters = of(retrain)
    values = parameters.decode(parameters.encode({"path": Path(path), "rates": rates, "keep": keep}))
    assert (values["path"], values["rates"], values["keep"]) == (Path(path), rates, keep)


def test_all_mistakes_are_in_one_message() -> None:
    with pytest.raises(ParameterError) as caught:
        of(retrain).encode({"rates": ["a"], "mode": "medium", "window": {"size": 3}, "rate": 3})
    message = str(caught.value)
    assert message.startswith("pipeline 'retrain': ")
    assert "parameter 'rate' is unknown (there is: path, rates, mode, window, keep)" in message
    assert "parameter 'path' is missing: expected Path" in message
    assert (
        "parameter 'rates': expected list[float], got list: list doesn't fit its annotation: Expected `float`, got `str` - at `$[0]`"
        in message
    )
    assert "parameter 'mode': expected Literal['fast', 'slow'], got str" in message
    assert "parameter 'window': expected Window | None, got dict" in message


@pytest.mark.parametrize(
    ("given_", "says"), [(5, "expected Path, got int"), (None, "expected Path, got NoneType"), (b"x", "expected Path, got bytes")]
)
def test_a_value_of_the_wrong_type_is_named_with_what_was_expected(given_: object, says: str) -> None:
    with pytest.raises(ParameterError, match=f"parameter 'path': {says}"):
        of(retrain).encode({"path": given_, "rates": []})


def test_a_number_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ParameterError, match=r"parameter 'rates'.*NaN or an infinity at \[0\]"):
        of(retrain).encode({"path": "x", "rates": [float("nan")]})


def test_a_parameter_without_an_annotation_takes_plain_values() -> None:
    parameters = of(lambda x: x)
    assert parameters.decode(parameters.encode({"x": {"a": [1]}})) == {"x": {"a": [1]}}


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        (str, "5", "5"),
        (str, '"x"', '"x"'),
        (str | None, "null", "null"),
        (Path, "a b.csv", Path("a b.csv")),
        (Path | None, "x", Path("x")),
        (Path, "\udcff", Path("\udcff")),
        (int, "5", 5),
        (float, "5", 5.0),
        (bool, "true", True),
        (int | None, "null", None),
        (list[float], "[1, 2.5]", [1.0, 2.5]),
        (list[Path], '["a"]', [Path("a")]),
        (Window, '{"size": 1, "folder": "f"}', Window(1, Path("f"))),
        (date, "2026-01-02", date(2026, 1, 2)),
        (Colour, "red", Colour.RED),
        (Literal["fast"], "fast", "fast"),
        (Any, "[1]", [1]),
        (Any, "text", "text"),
        (int | str, "5", 5),
        (int | str, "x", "x"),
    ],
    ids=str,
)
def test_typed_text_is_read_as_the_annotation_wants_it(annotation: object, text: str, value: object) -> None:
    def fn(x: object) -> None:
        """Take one."""

    fn.__annotations__["x"] = annotation
    assert of(fn).parse({"x": text}) == {"x": value}


def test_all_mistakes_of_typed_text_are_in_one_message() -> None:
    with pytest.raises(ParameterError) as caught:
        of(retrain).parse({"rates": "1,2", "keep": "yes", "pat": "x"})
    message = str(caught.value)
    assert "parameter 'pat' is unknown" in message
    assert "parameter 'rates': expected list[float] as JSON, got '1,2'" in message
    assert "parameter 'keep': expected bool as JSON, got 'yes'" in message


def test_stored_arguments_that_no_longer_fit_are_refused() -> None:
    with pytest.raises(ParameterError, match=r"'gone' is unknown.*'path': expected Path.*'rates' is missing"):
        of(retrain).decode(b'{"gone":1,"path":5}')


def test_a_parameter_added_since_with_a_default_has_it() -> None:
    assert of(retrain).decode(b'{"path":"x","rates":[]}')["mode"] == "fast"


@pytest.mark.parametrize(
    ("fn", "says"), [(lambda *paths: paths, r"takes \*paths"), (lambda **named: named, r"takes \*\*named")], ids=["args", "kwargs"]
)
def test_parameters_without_a_name_of_their_own_are_refused(fn: Callable[..., object], says: str) -> None:
    with pytest.raises(DefinitionError, match=f"^file:1: pipeline 'retrain' {says}"):
        of(fn)


def test_a_default_that_does_not_fit_is_refused_at_the_definition() -> None:
    def fn(rate: float = "high") -> None:  # type: ignore[assignment]
        """Take a wrong default."""

    with pytest.raises(DefinitionError, match=r"^file:1: the default of parameter 'rate' of pipeline 'retrain': expected float, got str"):
        of(fn)


def test_a_text_is_a_default_for_a_path() -> None:
    def fn(path: Path = "x.csv") -> None:  # type: ignore[assignment]
        """Take a path."""

    assert of(fn).decode(of(fn).encode({})) == {"path": Path("x.csv")}
    assert of(fn).schema()["properties"]["path"]["default"] == "x.csv"
