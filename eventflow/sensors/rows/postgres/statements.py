"""The SQL by which a table is read. Names are the table's own, quoted by the server; values are bound."""
# ruff: noqa: S608 - no statement here holds anything else

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from eventflow import codec
from eventflow.errors import SourceUnreachable
from eventflow.sensors.rows.options import RowOptions
from eventflow.sensors.rows.postgres.columns import as_plain, condition, instant_of, key_value, selected
from eventflow.sensors.rows.postgres.table import Column, Described
from eventflow.sensors.rows.source import Row
from eventflow.sensors.rows.values import identity, versioned


@dataclass(frozen=True, slots=True)
class Order:
    """The columns by which a walk goes through the table."""

    columns: tuple[Column, ...]

    @property
    def by(self) -> str:
        """For ORDER BY. Qualified: a bare name would mean the output column, which is text."""
        return ", ".join(f"t.{column.quoted}" for column in self.columns)

    @property
    def backwards(self) -> str:
        """The same, from the end."""
        return ", ".join(f"t.{column.quoted} DESC" for column in self.columns)

    def position(self, alias: str) -> str:
        """Select the place of a row in this order, as text."""
        return ", ".join(f'{_text(column)} AS "{alias}{number}"' for number, column in enumerate(self.columns))

    def beyond(self, bound: Arguments, position: Sequence[str] | None) -> str:
        """Be behind a place, or anywhere."""
        return "true" if position is None else f"({self.by}) > ({self._bound(bound, position)})"

    def within(self, bound: Arguments, position: Sequence[str] | None) -> str:
        """Be at a place or before it, or anywhere."""
        return "true" if position is None else f"({self.by}) <= ({self._bound(bound, position)})"

    def _bound(self, bound: Arguments, position: Sequence[str]) -> str:
        return ", ".join(f"{bound.add(text)}::text::{column.type}" for column, text in zip(self.columns, position, strict=True))


@dataclass(slots=True)
class Arguments:
    """The values bound to a statement."""

    values: list[object] = field(default_factory=list[object])

    def add(self, value: object) -> str:
        """Bind a value, and give what stands for it in the statement."""
        self.values.append(value)
        return f"${len(self.values)}"


@dataclass(frozen=True, slots=True)
class Fields:
    """What is read of each row, and how that becomes a `Row`."""

    columns: tuple[Column, ...]
    key: tuple[Column, ...]
    version: Column | None
    first: Column | None
    fixed: tuple[Column, ...]
    readers: tuple[tuple[str, str, Callable[[object], object]], ...]

    @classmethod
    def of(cls, described: Described) -> Fields:
        """Take what the layout names."""
        plan = described.layout
        return cls(
            columns=described.several(plan.columns),
            key=described.several(plan.key),
            version=None if plan.version is None else described.columns[plan.version],
            first=described.columns[plan.order[0]] if plan.order else None,
            fixed=described.several(plan.fixed),
            readers=tuple((name, f"d{number}", as_plain(described.columns[name])) for number, name in enumerate(plan.columns)),
        )

    @property
    def selected(self) -> str:
        """For SELECT."""
        data = [f'{selected(column)} AS "d{number}"' for number, column in enumerate(self.columns)]
        when = "NULL::bigint" if self.first is None else instant_of(self.first)
        return ", ".join([*data, self.selected_name, f'{when} AS "instant"'])

    @property
    def selected_name(self) -> str:
        """For SELECT, where only what names a row is wanted."""
        version = "NULL" if self.version is None else _text(self.version)
        key = [f'{_text(column)} AS "k{number}"' for number, column in enumerate(self.key)]
        fixed = f"ROW({', '.join(map(_text, self.fixed))})::text" if self.fixed else "NULL"
        return ", ".join([*key, f'{version} AS "version"', f'{fixed} AS "fixed"'])

    def row(self, record: Mapping[str, object], name: str | None = None) -> Row:
        """Make a row of what was selected, of which the identity may be known already."""
        when = record["instant"]
        return Row(
            identity=name or self.name(record),
            key=self.key_of(record),
            data={name: read(record[place]) for name, place, read in self.readers},
            time=when if isinstance(when, int) else None,
        )

    def key_of(self, record: Mapping[str, object]) -> tuple[object, ...]:
        """Give the key as text, which finds the row again."""
        return tuple(str(record[f"k{number}"]) for number in range(len(self.key)))

    def name(self, record: Mapping[str, object]) -> str:
        """Give a row's identity."""
        name = self.name_of(self.key_of(record))
        if self.fixed:
            return f"{name}~{codec.digest(str(record['fixed']).encode())[:16]}"
        if self.version is None:
            return name
        version = record["version"]
        return versioned(name, None if version is None else key_value(self.version, str(version)))

    def name_of(self, key: Sequence[object]) -> str:
        """Give the identity that a key makes."""
        return identity(tuple(key_value(column, str(text)) for column, text in zip(self.key, key, strict=True)))


@dataclass(frozen=True, slots=True)
class Stretch:
    """Rows to be read: in an order, written by transactions of `low` or above, behind one place and up to another."""

    order: Order
    low: int | None
    at: Sequence[str] | None = None
    end: Sequence[str] | None = None


class Statements:
    """All SQL for one sensor on one table.

    `whole` is the order of the first round, `new` that of the later ones, `patrol` the patrol's, `keyed` the key's. `ordered` tells whether
    an index serves the order of the rounds: without one they would read and sort the whole table each time, so they go by the key.
    """

    def __init__(self, options: RowOptions, described: Described) -> None:
        plan = described.layout
        self.fields = Fields.of(described)
        self._from = f"{described.quoted} AS t"
        self._conditions = [(wanted, described.columns[plan.name(wanted.column)]) for wanted in options.where]
        self._filled = " AND ".join(["true", *(f"t.{column.quoted} IS NOT NULL" for column in described.several(plan.filled))])
        self.stamp = _stamp(options, described)
        self.ordered = not plan.order or plan.order[0] in described.leads
        self.keyed = Order(self.fields.key)
        self.whole = Order(described.several(plan.order)) if self.ordered else self.keyed
        self.new = self.whole if self.stamp is None else Order((self.stamp, *self.fields.key))
        self.patrol = self.keyed if self.stamp is None else self.new
        self.signature = ", ".join(f"{column.quoted} {column.type}" for column in (*self.whole.columns, *self.new.columns))

    def end_of_step(self, stretch: Stretch, next_xid: int, rows: int) -> tuple[str, list[object]]:
        """Find the place that so many rows lie before, behind the stretch's beginning; nothing where fewer are left."""
        bound, order = Arguments(), stretch.order
        conditions = f"{self._filled} AND {order.beyond(bound, stretch.at)} AND {self._indexed(bound, stretch, next_xid)}"
        return (
            f"SELECT {order.position('p')} FROM {self._from} WHERE {conditions} ORDER BY {order.by} OFFSET {bound.add(rows - 1)} LIMIT 1"
        ), bound.values

    def step(self, stretch: Stretch, next_xid: int, limit: int) -> tuple[str, list[object]]:
        """Read the rows of a stretch that are wanted, at most `limit`. No visible row bears `next_xid` or more."""
        bound, order = Arguments(), stretch.order
        writer = self._writer(bound, next_xid)
        conditions = [
            self._filled,
            order.beyond(bound, stretch.at),
            order.within(bound, stretch.end),
            self._indexed(bound, stretch, next_xid),
            "true" if stretch.low is None else f"{writer} >= {bound.add(stretch.low)}::bigint",
            self.wanted(bound),
        ]
        return (
            f'SELECT {self.fields.selected}, {order.position("p")}, {writer} AS "writer" FROM {self._from} '
            f"WHERE {' AND '.join(conditions)} ORDER BY {order.by} LIMIT {bound.add(limit)}"
        ), bound.values

    def unsettled(self, low: int, next_xid: int, limit: int) -> tuple[str, list[object]]:
        """Read what names the rows that were written by transactions of `low` or above."""
        bound = Arguments()
        conditions = f"{self._filled} AND {self._writer(bound, next_xid)} >= {bound.add(low)}::bigint AND {self.wanted(bound)}"
        return f"SELECT {self.fields.selected_name} FROM {self._from} WHERE {conditions} LIMIT {bound.add(limit)}", bound.values

    def tried(self, next_xid: int) -> list[tuple[str, list[object]]]:
        """Give what shows whether all that the sensor does could be done."""
        return [self.keys(None, 1), *(self.step(Stretch(order, 0), next_xid, 1) for order in (self.whole, self.new))]

    def last(self, order: Order) -> str:
        """Find the last place in an order; and, as `next`, how far the next transaction's number is from 3, in 32 bits."""
        return (
            f"SELECT {order.position('p')}, age('3'::xid) AS next FROM {self._from} WHERE {self._filled} ORDER BY {order.backwards} LIMIT 1"
        )

    def keys(self, after: Sequence[object] | None, limit: int) -> tuple[str, list[object]]:
        """Read the keys of rows that are wanted, in their order."""
        bound = Arguments()
        beyond = self.keyed.beyond(bound, None if after is None else [str(value) for value in after])
        return (
            f"SELECT {self.fields.selected_name} FROM {self._from} "
            f"WHERE {beyond} AND {self.wanted(bound)} ORDER BY {self.keyed.by} LIMIT {bound.add(limit)}"
        ), bound.values

    def by_key(self, keys: Sequence[Sequence[object]]) -> tuple[str, list[object]]:
        """Read the rows with these keys that are wanted."""
        bound = Arguments()
        return f"SELECT {self.fields.selected} FROM {self._from} WHERE {self.with_keys(bound, keys)} AND {self.wanted(bound)}", bound.values

    def with_keys(self, bound: Arguments, keys: Sequence[Sequence[object]]) -> str:
        """Be one of these keys."""
        columns = self.fields.key
        lists = [f"{bound.add([str(key[number]) for key in keys])}::text[]::{column.type}[]" for number, column in enumerate(columns)]
        return f"({self.keyed.by}) IN (SELECT * FROM unnest({', '.join(lists)}))"

    def wanted(self, bound: Arguments) -> str:
        """Fulfil the sensor's condition."""
        parts = ["true"]
        for wanted, column in self._conditions:
            text, *values = condition(wanted, column, len(bound.values) + 1)
            bound.values += values
            parts.append(str(text))
        return " AND ".join(parts)

    def _writer(self, bound: Arguments, next_xid: int) -> str:
        """The transaction that wrote a row, in 64 bits: the last number below the next one that ends in the row's own 32."""
        if self.stamp is not None:
            return f"t.{self.stamp.quoted}::text::bigint"
        number = f"{bound.add(next_xid)}::bigint"
        return f"({number} - (({number} - t.xmin::text::bigint) & 4294967295))"

    def _indexed(self, bound: Arguments, stretch: Stretch, next_xid: int) -> str:
        """Say it so that the index on the author's own column is used. Numbers that are still to come are those of another cluster."""
        if self.stamp is None or stretch.order is not self.new:
            return "true"
        name, kind = f"t.{self.stamp.quoted}", self.stamp.type
        return f"{name} >= {bound.add(str(stretch.low or 0))}::text::{kind} AND {name} < {bound.add(str(next_xid))}::text::{kind}"


def _text(column: Column) -> str:
    return f"t.{column.quoted}::text"


def _stamp(options: RowOptions, described: Described) -> Column | None:
    if options.xid_column is None:
        if described.is_view:
            raise SourceUnreachable(
                f"{options.table!r} is a view, and doesn't tell which transaction wrote a row: watch its table, or have it show a column"
                " of the type xid8 and name that with xid_column="
            )
        return None
    column = described.columns[described.layout.name(options.xid_column)]
    if column.base != "xid8":
        raise SourceUnreachable(
            f"xid_column={column.name!r} is of the type {column.type}: it must be xid8 NOT NULL DEFAULT pg_current_xact_id()"
        )
    return column
