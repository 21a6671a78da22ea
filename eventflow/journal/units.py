"""What every journal does with a unit before it touches its own tables: the same facts give the same records and the same changes."""

from __future__ import annotations

from eventflow.facts import Record, Unit
from eventflow.projections import Change, project


def expand(unit: Unit, after: int) -> tuple[list[Record], list[Change]]:
    """Give the records of a unit whose first fact comes behind the place `after`, and all row changes that follow from them."""
    at = unit.at
    records: list[Record] = []
    changes: list[Change] = []
    for seq, fact in enumerate(unit.facts, after + 1):
        records.append(Record(seq, at, fact))
        changes += project(fact, seq, at)
    return records, changes
