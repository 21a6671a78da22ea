"""A pipeline that is written in a block, `with Pipeline("etl") as etl:`, instead of as a function."""

from __future__ import annotations

from contextlib import ExitStack
from typing import NoReturn

from eventflow.definition import places
from eventflow.definition.functions import Function
from eventflow.definition.tracing import Trace
from eventflow.errors import DefinitionError


class Written:
    """The block of one pipeline. `function` stands for the body that it hasn't."""

    def __init__(self, pipeline: str) -> None:
        self._pipeline = pipeline
        self._trace: Trace | None = None
        self._failed: str | None = None
        self._stack = ExitStack()
        self.function = Function(self._refuse)

    def open(self, trace: Trace) -> None:
        """Have the tasks that are called from now on become nodes of a trace. Raises `DefinitionError` the second time."""
        if self._trace is not None:
            message = f"pipeline {self._pipeline!r} has had its block: write all of it in one, or make a second pipeline"
            raise DefinitionError(message, places.user_place())
        self._trace = trace
        self._stack.enter_context(trace.under_way())

    def close(self, error: BaseException | None) -> None:
        """Note that the block has ended, and by which exception."""
        self._stack.close()
        self._failed = None if error is None else f"{type(error).__name__}: {error}"

    def trace(self) -> Trace:
        """Give the trace of the whole block. Raises `DefinitionError` before it has ended, and where it ended by an exception."""
        if self._trace is None:
            raise self._unusable("has neither a function nor steps nor a block: write its tasks in `with Pipeline(...) as name:`")
        if self._trace.is_open:
            raise self._unusable("is used before its block has ended: use it behind the block")
        if self._failed is not None:
            raise self._unusable(f"isn't whole: its block raised {self._failed}")
        return self._trace

    def _refuse(self) -> NoReturn:
        raise self._unusable("was written in a block, which can't be written again into another body: use run_pipeline(...) there")

    def _unusable(self, why: str) -> DefinitionError:
        return DefinitionError(f"pipeline {self._pipeline!r} {why}", places.user_place())
