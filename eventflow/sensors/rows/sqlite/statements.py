"""The SQL that a row sensor sends to SQLite. Names come from the database's own description of the table, values are bound."""
# ruff: noqa: S608 - quoted names of the table's own are all that is written into a statement

from __future__ import annotations

from collections.abc import Iterable, Sequence

from eventflow.sensors.rows.conditions import Condition, Value
from eventflow.sensors.rows.layout import Layout
from eventflow.sensors.rows.options import DONE
from eventflow.sensors.rows.places import Place
from eventflow.sensors.rows.sqlite.connection import placeholder

Statement = tuple[str, Sequence[object]]
"""SQL, and the values for its placeholders."""

_ROWID = "_rowid_"
"""What finds a row of a table without a key, for as long as it is there."""


class Statements:
    """All statements about one table that fulfils its conditions."""

    def __init__(self, layout: Layout, where: Sequence[Condition]) -> None:
        self._layout = layout
        self._table = _quoted(layout.table)
        self._key = _listed(layout.key)
        self._order = _listed(layout.order)
        self._spot = _listed(layout.spot)
        self._row = _listed(layout.row)
        self._where = [_condition(one, layout) for one in where]
        self._filled: list[Statement] = [(f"{_quoted(column)} IS NOT NULL", []) for column in layout.filled]

    def behind(self, after: Place | None, limit: int) -> Statement:
        """Rows in order: the place, the key, the version, what is fixed, the columns."""
        return self._select(self._row, [*self._filled, *self._where, *self._behind(after)], self._order, limit)

    def spots(self, since: object, after: Place | None, until: Place, limit: int) -> Statement:
        """Where rows are: the place, the key, the version."""
        bounds = [*self._behind(after), _compared(self._layout.order, "<=", until)]
        if since is not None:
            bounds.append(_compared(self._layout.order[:1], ">=", (since,)))
        return self._select(self._spot, [*self._filled, *self._where, *bounds], self._order, limit)

    def there(self, after: Place | None, until: Place, limit: int) -> Statement:
        """Where rows are, whatever the condition."""
        bounds = [*self._filled, *self._behind(after), _compared(self._layout.order, "<=", until)]
        return self._select(self._spot, bounds, self._order, limit)

    def fetch(self, keys: Sequence[tuple[object, ...]]) -> Statement:
        """Rows by their keys, as `behind` gives them."""
        return self._select(self._row, [*self._filled, *self._where, self._among(keys)], self._order, len(keys))

    def last(self) -> Statement:
        """The last place."""
        return self._select(self._order, self._filled, ", ".join(f"{_quoted(one)} DESC" for one in self._layout.order), 1)

    def largest(self) -> Statement:
        """The largest key."""
        return f"SELECT max({self._key}) FROM {self._table}", []

    def fixed(self, keys: Sequence[int]) -> Statement:
        """Keys, and what is fixed of their rows."""
        chosen = self._among([(key,) for key in keys])
        return self._select(_listed([*self._layout.key, *self._layout.fixed]), [chosen], self._key, len(keys))

    def matching(self, after: Place | None, limit: int) -> Statement:
        """Keys of rows that fulfil the condition, in their order."""
        bounds = [] if after is None else [_compared(self._layout.key, ">", after)]
        return self._select(self._key, [*self._filled, *self._where, *bounds], self._key, limit)

    def unnamed(self) -> Statement:
        """Whether a row has no key."""
        nothing = " OR ".join(f"{_quoted(column)} IS NULL" for column in self._layout.key if column in self._layout.filled)
        return (f"SELECT EXISTS (SELECT 1 FROM {self._table} WHERE {nothing})", []) if nothing else ("SELECT 0", [])

    def free(self, most: int) -> Statement:
        """How many rows are free, counted up to `most`."""
        free, values = self._free
        return f"SELECT count(*) FROM (SELECT 1 FROM {self._table} WHERE {free} LIMIT ?)", [*values, most]

    def claim(self, mark: str, limit: int, least: int) -> Statement:
        """Write a mark into free rows, unless there are too few."""
        free, values = self._free
        chosen = f"SELECT {self._address} FROM {self._table} WHERE {free} ORDER BY {self._order or self._address} LIMIT ?"
        count, counted = self.free(least)
        text = f"UPDATE {self._table} SET {self._mark} = ? WHERE ({self._address}) IN ({chosen}) AND ({count}) >= ?"
        return text, [mark, *values, limit, *counted, least]

    def claimed(self, prefix: str, limit: int) -> Statement:
        """Rows with a mark that begins so: what finds them, the mark, the columns."""
        row = ", ".join([self._address, self._mark, *map(_quoted, self._layout.columns)])
        begins: Statement = (f"substr({self._mark}, 1, ?) = ?", [len(prefix), prefix])
        return self._select(row, [begins], f"{self._mark}, {self._order or self._address}", limit)

    def release(self, claim: str, keys: Sequence[tuple[object, ...]], *, delete: bool) -> Statement:
        """Have done with rows of a claim."""
        among, values = self._among(keys)
        if delete:
            return f"DELETE FROM {self._table} WHERE {self._mark} = ? AND {among}", [claim, *values]
        return f"UPDATE {self._table} SET {self._mark} = ? WHERE {self._mark} = ? AND {among}", [DONE, claim, *values]

    @property
    def _free(self) -> Statement:
        return _all([(f"{self._mark} IS NULL", []), *self._where])

    @property
    def _mark(self) -> str:
        return _quoted(self._layout.mark or "")

    @property
    def _address(self) -> str:
        return self._key or _ROWID

    def _behind(self, after: Place | None) -> list[Statement]:
        return [] if after is None else [_compared(self._layout.order, ">", after)]

    def _among(self, keys: Sequence[tuple[object, ...]]) -> Statement:
        rows = ", ".join(_tuple([placeholder(value) for value in key]) for key in keys)
        listed = f"(VALUES {rows})" if len(self._layout.key) > 1 else f"({rows})"
        return f"({self._address}) IN {listed}", [value for key in keys for value in key]

    def _select(self, what: str, bounds: Sequence[Statement], order: str, limit: int) -> Statement:
        text, values = _all(bounds)
        return f"SELECT {what} FROM {self._table} WHERE {text} ORDER BY {order} LIMIT ?", [*values, limit]


def _compared(columns: Sequence[str], operator: str, place: Place) -> Statement:
    left = _tuple([_quoted(column) for column in columns])
    right = _tuple([placeholder(value) for value in place])
    return f"{left} {operator} {right}", list(place)


def _condition(condition: Condition, layout: Layout) -> Statement:
    column = _quoted(layout.name(condition.column))
    match condition.operator:
        case "null" | "not null":
            return f"{column} IS {condition.operator.upper()}", []
        case "in":
            return f"{column} IN ({', '.join('?' * len(condition.values))})", [_value(value) for value in condition.values]
        case operator:
            return f"{column} {operator} ?", [_value(condition.values[0])]


def _value(value: Value) -> object:
    """Give a value as SQLite has it: it knows no dates and no exact decimals."""
    return value if isinstance(value, str | int | float | bytes) else str(value)


def _all(bounds: Sequence[Statement]) -> Statement:
    text = " AND ".join(text for text, _ in bounds) or "1"
    return text, [value for _, values in bounds for value in values]


def _tuple(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"({', '.join(parts)})"


def _listed(columns: Iterable[str]) -> str:
    return ", ".join(map(_quoted, columns))


def _quoted(name: str) -> str:
    # Not in double quotes: SQLite takes a column that has gone for a text then, and gives its name in each row.
    return "`" + name.replace("`", "``") + "`"
