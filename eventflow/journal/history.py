"""All facts of a journal, gone through once more: each must be legal where it stands, and together they give the tables anew."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import TypeAlias

import msgspec

from eventflow import facts, states
from eventflow.errors import Refused
from eventflow.facts import Fact, Record, decode
from eventflow.journal.faults import is_damage
from eventflow.journal.queries import QUERIES
from eventflow.journal.tables import Tables
from eventflow.projections import project

Subject: TypeAlias = tuple[str, ...]


class UnsoundHistory(ValueError):
    """A fact that can't stand where it stands, or can't be read."""


class History:
    """What the facts so far amount to: the place of the last, the states of all runs and nodes, and all tables."""

    def __init__(self) -> None:
        self.seq = 0
        self.tables = Tables()
        self._states: dict[Subject, str] = {}

    def take(self, record: Record) -> None:
        """Go on by one fact. Raises `UnsoundHistory`, and then has not taken it."""
        if record.seq != self.seq + 1:
            raise UnsoundHistory(f"fact {self.seq + 1} is missing: the next one is {record.seq}")
        try:
            moved = self._moved(record.fact)
            self.tables.apply(project(record.fact, record.seq, record.at))
        except (states.IllegalTransition, Refused) as error:
            raise UnsoundHistory(f"fact {record.seq} is not legal: {error}") from error
        self._states.update(moved)
        self.seq = record.seq

    def _moved(self, fact: Fact) -> dict[Subject, str]:
        """Give the state that a fact leads to, by the name of its run or node."""
        if isinstance(fact, facts.RunSubmitted):
            return {(fact.run,): states.QUEUED}
        for table, subject in ((states.RUN, _run_of(fact)), (states.NODE, _node_of(fact))):
            if subject is not None and type(fact) in table:
                start = states.PENDING if table is states.NODE else "no state"
                return {subject: states.apply(table, self._states.get(subject, start), fact)}
        return {}


def read_history(connection: sqlite3.Connection) -> Iterator[Record]:
    """Give every record of a journal in order. Raises `UnsoundHistory` where one is unreadable, `sqlite3.Error` where the disk fails."""
    last = 0
    try:
        for seq, at, body in connection.execute(QUERIES["records"], (0, -1)):
            yield Record(seq, at, decode(body))
            last = seq
    except (sqlite3.Error, msgspec.MsgspecError) as error:
        if isinstance(error, sqlite3.Error) and not is_damage(error):
            raise
        raise UnsoundHistory(f"no fact behind {last} can be read: {error}") from error


def _run_of(fact: Fact) -> Subject | None:
    run = facts.run_of(fact)
    return None if run is None else (run,)


def _node_of(fact: Fact) -> Subject | None:
    node = getattr(fact, "node", None)
    run = facts.run_of(fact)
    return None if run is None or node is None else (run, node)
