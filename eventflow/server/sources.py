"""What the API answers from: a journal, and, in a daemon, the engine that writes it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from eventflow.definition.pipelines import Pipeline
from eventflow.engine.engine import Engine
from eventflow.errors import NoDaemon, NotFound
from eventflow.logs.files import Page
from eventflow.ports import JournalView
from eventflow.project import Project


class Logs(Protocol):
    """Where the lines that attempts logged are kept."""

    async def read(self, run: str, node: str | None, attempt: int | None, *, after: int, limit: int) -> Page:
        """Give up to `limit` lines of a run's log, or of one node or attempt, behind `after`, which is 0 or that of the page before."""
        ...


@dataclass(frozen=True)
class Sources:
    """Where answers come from. `stopping` returns once long answers should end early.

    Without an `engine` the journal is only read; a `project` then says what stands in the code: kinds and words of sensors.
    """

    journal: JournalView
    engine: Engine | None = None
    logs: Logs | None = None
    stopping: Callable[[], Awaitable[None]] | None = None
    project: Project | None = None

    @property
    def live(self) -> Engine:
        """The engine. Raises `NoDaemon` where the journal is only read."""
        if self.engine is None:
            raise NoDaemon("this needs a daemon, and none is at work on this project: start one with `eventflow serve`")
        return self.engine

    def pipeline(self, name: str) -> Pipeline[..., Any]:
        """Give a pipeline of the engine. Raises `NotFound`, naming those there are, and `NoDaemon`."""
        known = {pipeline.name: pipeline for pipeline in self.live.pipelines}
        if name not in known:
            raise NotFound(f"there is no pipeline {name[:64]!r}: there is {', '.join(sorted(known)) or 'none'}")
        return known[name]
