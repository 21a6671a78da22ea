"""A journal that lives and dies with its process: for `pipeline.run()`, where no trace is wanted, and for tests."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import islice
from types import TracebackType
from typing import Self

from eventflow.errors import JournalError, Refused
from eventflow.facts import Fact, Record, Unit, run_of
from eventflow.journal.progress import Progress
from eventflow.journal.tables import Tables
from eventflow.journal.units import expand
from eventflow.ports import Instrument, Instruments, RowT


class MemoryJournal:
    """A journal in this process's memory. A commit is done before the call to it returns: nothing is ever under way.

    It holds nothing that must be closed; `async with` is offered so that it can stand where another journal stands.
    """

    def __init__(self, instruments: Sequence[Instrument] = ()) -> None:
        self._instruments = Instruments(instruments)
        self._records: list[Record] = []
        self._tables = Tables()
        self._progress = Progress()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        return None

    async def commit(self, unit: Unit) -> int:
        """Commit a unit at once, without giving way to other tasks."""
        return self._commit(unit)

    def enqueue(self, unit: Unit) -> None:
        """Commit a unit at once. Where it is refused the journal has failed, and the error is raised here already."""
        try:
            self._commit(unit)
        except Refused as refused:
            failure = JournalError(f"a unit that can't be refused was refused: {refused}")
            self._progress.fail(failure)
            raise failure from refused

    async def select(
        self, table: type[RowT], *, order: str | None = None, descending: bool = False, limit: int | None = None, **equals: object
    ) -> list[RowT]:
        """Give the rows of a table whose columns have the values given."""
        self._progress.check()
        return self._tables.select(table, equals, order=order, descending=descending, limit=limit)

    async def facts(self, seqs: Collection[int]) -> dict[int, Fact]:
        """Give the facts at these places."""
        self._progress.check()
        return {seq: self._records[seq - 1].fact for seq in seqs if 0 < seq <= len(self._records)}

    async def records(self, after: int, *, limit: int, run: str | None = None) -> list[Record]:
        """Give up to `limit` records behind `after`, in order."""
        self._progress.check()
        behind = islice(self._records, max(after, 0), None)
        wanted = behind if run is None else (record for record in behind if run_of(record.fact) == run)
        return list(islice(wanted, limit))

    @property
    def seq(self) -> int:
        """The place of the last committed fact."""
        return self._progress.seq

    async def changed(self, after: int) -> None:
        """Return once there is a fact behind `after`."""
        await self._progress.wait(after)

    @property
    def full(self) -> bool:
        """Never: a process without memory ends otherwise."""
        return False

    def _commit(self, unit: Unit) -> int:
        self._progress.check()
        self._instruments.reached("journal.commit.before")
        records, changes = expand(unit, self.seq)
        self._tables.apply(changes)
        self._records += records
        self._progress.advance(self.seq + len(records))
        self._instruments.committed(records)
        self._instruments.reached("journal.commit.after")
        return self.seq
