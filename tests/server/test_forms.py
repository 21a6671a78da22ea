from __future__ import annotations

from enum import Enum
from typing import Any, Literal

import msgspec
import pytest

from eventflow import codec
from eventflow.errors import InvalidRequest
from eventflow.server import forms
from eventflow.server.questions import GivenAnswer


class Stage(Enum):
    TEST = "test"
    LIVE = "live"


class Decision(msgspec.Struct):
    go: bool
    why: str = ""


def form(annotation: Any) -> dict[str, Any]:
    (shape,), defs = codec.schemas([annotation])
    return {**shape, "$defs": defs}


@pytest.mark.parametrize(
    ("annotation", "text", "meant"),
    [
        (bool, "yes", True),
        (bool, "No", False),
        (bool, "true", True),
        (bool, "n", False),
        (bool, "1", 1),
        (str, "no", "no"),
        (str, "3", "3"),
        (str, '"quoted"', '"quoted"'),
        (Stage, "live", "live"),
        (Literal["a", 2], "a", "a"),
        (Literal["a", 2], "2", 2),
        (Stage | None, "live", "live"),
        (Stage | None, "null", None),
        (bool | None, "yes", True),
        (int, "3", 3),
        (int, "three", "three"),
        (int | str, "3", 3),
        (int | str, "x y", "x y"),
        (list[str], '["a"]', ["a"]),
        (Decision, '{"go":true}', {"go": True}),
        (Decision, "{", "{"),
        (float, "\udcff", "\udcff"),
    ],
)
def test_a_typed_answer_is_read_by_its_form(annotation, text, meant) -> None:
    assert forms.typed(text, form(annotation)) == meant
    assert type(forms.typed(text, form(annotation))) is type(meant)


@pytest.mark.parametrize(
    ("annotation", "said"),
    [
        (bool, "yes | no"),
        (str, "text"),
        (Stage, "live | test"),
        (Literal["a", 2], "2 | a"),
        (int, "JSON"),
        (Decision, "JSON"),
        (str | None, "JSON"),
    ],
)
def test_a_form_says_how_it_is_answered(annotation, said) -> None:
    assert sorted(forms.described(form(annotation)).split(" | ")) == sorted(said.split(" | "))


def test_without_a_form_anything_is_taken() -> None:
    assert forms.typed("yes", None) == "yes"
    assert forms.typed("[1]", None) == [1]
    assert forms.described(None) == "JSON"


def test_an_answer_is_json_or_text() -> None:
    raw = msgspec.Raw(b'{"go":true}')
    assert forms.answer(GivenAnswer("ask", raw), form(Decision)) == {"go": True}
    assert forms.answer(GivenAnswer("ask", msgspec.Raw(b"null")), form(Decision)) is None
    assert forms.answer(GivenAnswer("ask", text="yes"), form(bool)) is True
    with pytest.raises(InvalidRequest, match="not both"):
        forms.answer(GivenAnswer("ask", raw, "yes"), None)
    with pytest.raises(InvalidRequest, match="the answer is missing"):
        forms.answer(GivenAnswer("ask"), None)
