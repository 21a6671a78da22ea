from __future__ import annotations

from typing import Any

from eventflow import facts
from eventflow.definition import places
from eventflow.engine.failures import failure


def function_in(file: str) -> Any:
    """Give a function that fails, and whose code lies in a file of that name."""
    names: dict[str, Any] = {"__name__": "pipelines.mine"}
    exec(compile("def fail():\n    raise ValueError('no')\n", file, "exec"), names)
    return names["fail"]


def caught(function: Any) -> BaseException:
    try:
        function()
    except Exception as error:  # noqa: BLE001 - whatever it was to raise
        return error
    raise AssertionError("it was to fail")


def test_an_error_in_a_folder_whose_name_is_no_text_can_be_journaled() -> None:
    told = failure(caught(function_in("/data/\udcff/mine.py")))
    assert told.where == "/data/\\udcff/mine.py:2"
    facts.encode(facts.AttemptFailed("r", "n", 1, 0, "error", told))


def test_a_place_is_text_whatever_the_folders_name() -> None:
    fail = function_in("/data/\udcff\n/mine.py")
    assert places.of_function(fail) == "/data/\\udcff\\n/mine.py:1"


def test_a_class_whose_name_is_no_text_can_be_journaled() -> None:
    class Odd(Exception):
        pass

    Odd.__qualname__ = "Odd\udcff"
    told = failure(Odd())
    facts.encode(facts.AttemptFailed("r", "n", 1, 0, "error", told))
    assert told.type.endswith("Odd\\udcff")
