"""What all parts of an open SQLite journal share."""

from __future__ import annotations

from dataclasses import dataclass

from eventflow.journal.mark import Mark
from eventflow.journal.place import Place
from eventflow.journal.progress import Progress
from eventflow.ports import Clock, Instrument


@dataclass(frozen=True, slots=True)
class Shared:
    """Where the journal lives, how far it has come, its mark, and the world around it."""

    place: Place
    progress: Progress
    mark: Mark
    clock: Clock
    instruments: Instrument
