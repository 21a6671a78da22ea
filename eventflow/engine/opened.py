"""What the engine remembers of an open run."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from eventflow.definition.graph import Graph
from eventflow.engine.run import RunExecution


@dataclass(slots=True)
class Opened:
    """An open run: how to begin it, whether it has been, its execution once it is under way, and what tells its end.

    A `recovered` run was left by an earlier process: it has a past, and may have killed that process.
    """

    run: str
    pipeline: str
    graph: Graph
    given: bytes
    recovered: bool = False
    admitted: bool = False
    cancelled: bool = False
    execution: RunExecution | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)
