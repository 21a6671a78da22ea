from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from queue import Queue

import httpx
import pytest

from eventflow.definition import places
from eventflow.definition.retries import Retry
from eventflow.errors import DefinitionError


def test_the_place_is_the_users_line(line: Callable[[str], str]) -> None:
    assert places.user_place() == line("here")  # here


def test_frames_of_the_standard_library_are_passed_over(line: Callable[[str], str]) -> None:
    with contextlib.ExitStack() as stack:
        seen: list[str | None] = []
        stack.callback(lambda: seen.append(places.user_place()))  # in the lambda
    assert seen == [line("in the lambda")]


def test_generated_code_of_eventflow_is_passed_over(line: Callable[[str], str]) -> None:
    with pytest.raises(DefinitionError) as caught:
        Retry(attempts=0)  # generated
    assert caught.value.where == line("generated")


def test_where_nobody_wrote_anything_there_is_no_place() -> None:
    seen: Queue[str | None] = Queue()
    hand_over = partial(map, seen.put, iter(places.user_place, "never"))
    thread = threading.Thread(target=lambda: None)
    thread.run = partial(next, hand_over())  # type: ignore[method-assign, assignment]
    thread.start()
    thread.join()
    assert seen.get_nowait() is None
    assert places.of_function(len) is None


def test_a_function_is_where_it_is_written(line: Callable[[str], str]) -> None:
    def written() -> None:  # written
        """Do nothing."""

    assert places.of_function(written) == line("written")


def test_an_error_is_where_the_users_code_raised_it(line: Callable[[str], str]) -> None:
    with pytest.raises(json.JSONDecodeError) as caught:
        json.loads("{")  # raised in the standard library
    assert places.of_error(caught.value) == line("raised in the standard library")


def test_an_error_inside_an_installed_package_is_where_the_users_code_called_it(line: Callable[[str], str]) -> None:
    with pytest.raises(TypeError) as caught:
        httpx.URL(5)  # type: ignore[arg-type]  # called wrongly
    assert places.of_error(caught.value) == line("called wrongly")


def test_an_error_of_an_installed_package_alone_is_placed_in_it() -> None:
    with pytest.raises(TypeError) as caught:
        httpx.URL(5)  # type: ignore[arg-type]
    assert caught.tb.tb_next is not None
    assert Path(httpx.__file__).parent.name in (places.of_error(caught.value.with_traceback(caught.tb.tb_next)) or "")
