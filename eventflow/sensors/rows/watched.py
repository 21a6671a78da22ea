"""What a sensor's memory is of: beside each cursor stands which table was watched, and by what its rows were told apart.

Identities name rows by their keys. Under the same name another sensor would take row 1 of its own table for the row 1 that has fired. Where
the table is isn't asked: a file may be moved, and a database be restored on another server, and what has fired has fired.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar, cast

import msgspec

from eventflow.errors import SensorError
from eventflow.events import Observation

D = TypeVar("D")


@dataclass(frozen=True, slots=True)
class Watched:
    """A table by its own name, with its schema where it has one; its key; and what else is part of its rows' identities."""

    table: str
    key: tuple[str, ...]
    fixed: tuple[str, ...] = ()

    def to_be(self, before: Watched | None, sensor: str) -> Watched:
        """Give this. Raises `SensorError` where a sensor's memory, which is of `before`, would take its rows for others."""
        if before is None:
            return self
        if not _is_same(before.table, self.table):
            raise SensorError(
                f"sensor {sensor!r} has watched table {before.table!r} so far, and what it remembers is of that: for table"
                f" {self.table!r} give the sensor another name, with existing='ignore' where it is the same table and was renamed"
            )
        if (before.key, before.fixed) != (self.key, self.fixed):
            raise SensorError(
                f"sensor {sensor!r} has told the rows of {self.table!r} apart by {before.columns} so far, and what it remembers is of that:"
                f" to tell them apart by {self.columns} give the sensor another name, with existing='ignore' where its rows have fired"
            )
        return self

    @property
    def columns(self) -> str:
        """By what rows are told apart, in words."""
        return ", ".join((*self.key, *(f"fixed {column}" for column in self.fixed)))


def taken_apart(cursor: object) -> tuple[Watched | None, object]:
    """Give what a cursor is of, and the cursor that `put_together` was given."""
    known = cast("dict[str, object]", cursor) if isinstance(cursor, dict) else {}
    if "of" not in known:
        return None, cast("object", cursor)
    of = cast("tuple[str, list[str], list[str]] | None", known["of"])
    return None if of is None else Watched(of[0], tuple(of[1]), tuple(of[2])), known.get("at")


def put_together(of: Watched | None, observation: Observation[D]) -> Observation[D]:
    """Give an observation whose cursor says as well what it is of."""
    if of is None:
        return observation
    return msgspec.structs.replace(observation, cursor={"of": [of.table, list(of.key), list(of.fixed)], "at": observation.cursor})


def _is_same(one: str, other: str) -> bool:
    """Compare names, of which one may be without its schema."""
    return one == other or (("." in one) != ("." in other) and one.rpartition(".")[2] == other.rpartition(".")[2])
