"""Where the reading of a table stands, as the cursor keeps it.

**Why not by the key.** A row with a smaller key may be committed after one with a larger key, so `key > last` loses rows. **Why not by
(transaction, key).** `xmin`, the transaction that wrote a row, is in no index, and its order is known only below the oldest transaction
that is still open, wherever in the cluster: rows would wait for a stranger's.

What is done instead. A snapshot's `xmin` is the oldest transaction still open, so whatever stands below it is complete, subtransactions
included: these come after their parents. (A snapshot's list of open transactions is not used: subtransactions, whose numbers rows do
bear, aren't in it, and `pg_visible_in_snapshot` takes them for complete.) A cursor therefore holds a number `low` with one meaning:
**every row that was written by a transaction below `low` has been handed over.** A round reads all rows of `low` or above that are visible,
in the cursor column's order, whether or not older transactions are open; at its end `low` becomes the `xmin` of the snapshot taken at its
beginning. What a round meets that an earlier one handed over, the journal knows by its identity. Nothing waits, nothing is skipped.

To find the rows of `low` or above, PostgreSQL must look at them. So rounds begin at a *floor*: the greatest row at a time of which all open
transactions have ended since. New rows nearly always lie above. Those that don't (keys from a cache of numbers, keys chosen by hand,
updates) are found by the *patrol*, which walks through the whole table by its key, in steps, with a `low` of its own, and is all that
correctness rests on. A table that fits into one step is patrolled at each look. With `xid_column`, which can have an index, there
is neither floor nor patrol: rounds read that index.

A transaction that is open for longer than `settle` no longer holds the rounds' `low` and floor back, so that they stay short. It still
holds the patrol's; once it has ended, a patrol sets out at once and finds its rows.

Transactions are counted in 64 bits. A row's own number has 32: it is completed from the next number of the snapshot. Frozen rows keep
the number that they had; should it look new once more, 4 billion transactions later, the journal knows the row.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from eventflow import codec

MARGIN = 10_000
"""So many transactions are looked at again after a new start: a server that crashes may give numbers anew which weren't yet on disk."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where the reading stands. `history` names the cluster and its timeline: in another one, numbers mean something else.

    `low` and `patrol` are those of the rounds and of the patrol, None before the first. In a round under way, `upper` is its next `low`,
    and `at` the last row read. `floor` is where rounds begin. `order` says by which columns, of which types, these two are places. `count`
    makes each cursor another one. With `existing="ignore"`, rows written by transactions below `known` are not to fire, and neither are
    those whose identities are in `skip`. `words` says for people how far this is.
    """

    history: str
    low: int | None = None
    patrol: int | None = None
    upper: int | None = None
    at: tuple[str, ...] | None = None
    floor: tuple[str, ...] | None = None
    order: str = ""
    count: int = 0
    known: int | None = None
    skip: tuple[str, ...] = ()
    words: str = "the beginning"

    @property
    def highest(self) -> int:
        """The highest number in it: there were as many transactions."""
        return max(self.low or 0, self.patrol or 0, self.upper or 0)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was complete at an instant: every transaction below `xmin`, none of `xmax` or above. `text` differs where one has ended."""

    text: str
    xmin: int
    xmax: int

    @classmethod
    def of(cls, text: str) -> Snapshot:
        """Read what PostgreSQL writes: `xmin:xmax:list`."""
        xmin, xmax, _ = text.split(":")
        return cls(text, int(xmin), int(xmax))


def written(place: Place) -> object:
    """Give a place as a cursor."""
    return codec.decode(codec.canonical(place))


def read(cursor: object) -> Place | None:
    """Give the place that a cursor holds, None for one that holds none: it is the first, or of another kind of database."""
    try:
        return codec.decode(codec.canonical(cursor), Place)
    except msgspec.ValidationError:
        return None
