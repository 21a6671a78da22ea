"""An open run: one that hasn't ended. It waits in its queue, runs, is suspended, or is held."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from eventflow.definition.graph import Graph
from eventflow.engine.run import RunExecution
from eventflow.ports import Timer


@dataclass(slots=True)
class Opened:
    """An open run: how to begin it, whether it has been, its execution once it is under way, and what tells its end.

    `seq` is the place of the fact that submitted it, `began` when it was last admitted, `ran` how long it had run before (microseconds). A
    `recovered` run was left by an earlier process: it may have killed that process. One that `has_past` has recorded nodes. One that is
    `withdrawn` is neither admitted nor woken; whoever changes one that nothing executes holds `changing`. `turn` comes when it begins or
    ceases to be executed.
    """

    run: str
    pipeline: str
    graph: Graph
    given: bytes
    priority: int = 0
    created_at: int = 0
    seq: int = 0
    key: str | None = None
    began: int = 0
    ran: int = 0
    recovered: bool = False
    has_past: bool = False
    admitted: bool = False
    suspended: bool = False
    woken: bool = False
    withdrawn: bool = False
    paused: bool = False
    cancelled: bool = False
    execution: RunExecution | None = None
    patience: Timer | None = None
    turn: asyncio.Event = field(default_factory=asyncio.Event)
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_turning(self) -> bool:
        """Whether its execution is being made, or is about to leave it suspended."""
        return self.admitted and (self.execution is None or self.execution.is_suspended)

    def note_turn(self) -> None:
        """Tell those who wait for `turn`."""
        self.turn.set()
        self.turn = asyncio.Event()
