"""The one judge of all crash tests: a journal, and the ledger of what was sent and what ran, against the invariants."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from eventflow.definition.pipelines import Pipeline
from eventflow.facts import Record
from eventflow.journal.verify import verify
from eventflow.ports import RowT
from eventflow.projections import TABLES
from eventflow.testing.evidence import Evidence
from eventflow.testing.invariants import violations
from eventflow.testing.ledger import Ledger

_PAGE = 5_000


class Readable(Protocol):
    """What is asked of a journal: any `Journal` will do, and a view of one that nobody writes."""

    async def select(self, table: type[RowT], /) -> list[RowT]: ...
    async def records(self, after: int, *, limit: int) -> list[Record]: ...


async def check(
    journal: Readable,
    ledger: Ledger,
    *,
    pipelines: Iterable[Pipeline[..., Any]] = (),
    triggers: Mapping[str, Collection[str]] | None = None,
    finished: bool = True,
) -> list[str]:
    """Give every violation of an invariant, each a sentence that begins with the invariant's id (`I6: ...`).

    `pipelines` tell how often a task may be tried, and which at most once. `triggers` names the triggers of each source, so that a
    decision that is missing is found out. With `finished=False` nothing need have ended yet.
    """
    evidence = Evidence(
        records=await _records(journal),
        rows={table: await journal.select(table) for table in TABLES},
        entries=ledger.read(),
        pipelines={pipeline.name: pipeline for pipeline in pipelines},
        triggers=triggers or {},
        finished=finished,
    )
    return violations(evidence)


def check_folder(state: Path) -> list[str]:
    """Give every violation that can be seen in a state folder which no process uses: damage, and what crashes left behind. It blocks."""
    damage = [f"I14: {problem}" for problem in verify(state).problems]
    return [*damage, *(f"I17: {path} was left behind" for path in sorted(_leftovers(state)))]


def _leftovers(state: Path) -> Iterator[Path]:
    for pattern in ("**/.writing-*", "*.new", "*.new-*", "*.repaired*"):
        yield from state.glob(pattern)


async def _records(journal: Readable) -> list[Record]:
    records: list[Record] = []
    while page := await journal.records(records[-1].seq if records else 0, limit=_PAGE):
        records += page
    return records
