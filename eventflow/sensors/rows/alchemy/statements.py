"""The statements that a row sensor sends through SQLAlchemy. Names come from the database's own description of the table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Delete, Select, Table, Update, and_, delete, func, or_, select, true, update

from eventflow.sensors.rows.conditions import Condition
from eventflow.sensors.rows.layout import Layout
from eventflow.sensors.rows.options import DONE
from eventflow.sensors.rows.places import Place

Names = Sequence[str]
Keys = Sequence[tuple[object, ...]]


class Statements:
    """All statements about one table that fulfils its conditions."""

    def __init__(self, table: Table, layout: Layout, where: Sequence[Condition]) -> None:
        self._table = table
        self._layout = layout
        self._filled = [table.c[column].is_not(None) for column in layout.filled]
        self._where = [*self._filled, *(_condition(one, table, layout) for one in where)]

    def behind(self, after: Place | None, limit: int) -> Select[Any]:
        """Rows in order: the place, the key, the version, what is fixed, the columns."""
        return self._ordered(self._layout.row).where(*self._behind(after)).limit(limit)

    def spots(self, since: object, after: Place | None, until: Place, limit: int) -> Select[Any]:
        """Where rows are: the place, the key, the version."""
        order = self._columns(self._layout.order)
        bounds = [*self._behind(after), _up_to(order, until)]
        if since is not None:
            bounds.append(order[0] >= since)
        return self._ordered(self._layout.spot).where(*bounds).limit(limit)

    def there(self, after: Place | None, until: Place, limit: int) -> Select[Any]:
        """Where rows are, whatever the condition."""
        bounds = [*self._filled, *self._behind(after), _up_to(self._columns(self._layout.order), until)]
        return self._ordered(self._layout.spot, bounds).limit(limit)

    def fetch(self, keys: Keys) -> Select[Any]:
        """Rows by their keys, as `behind` gives them."""
        return self._ordered(self._layout.row).where(self._among(keys))

    def last(self) -> Select[Any]:
        """The last place."""
        order = self._columns(self._layout.order)
        return select(*order).where(*self._filled).order_by(*(column.desc() for column in order)).limit(1)

    def largest(self) -> Select[Any]:
        """The largest key."""
        return select(func.max(*self._columns(self._layout.key)))

    def fixed(self, keys: Keys) -> Select[Any]:
        """Keys, and what is fixed of their rows."""
        return select(*self._columns([*self._layout.key, *self._layout.fixed])).where(self._among(keys))

    def matching(self, after: tuple[object, ...] | None, limit: int) -> Select[Any]:
        """Keys of rows that fulfil the condition, in their order."""
        key = self._columns(self._layout.key)
        bounds = [] if after is None else [_behind(key, after)]
        return select(*key).where(*self._where, *bounds).order_by(*key).limit(limit)

    def free(self, limit: int) -> Select[Any]:
        """Keys of free rows; where the database can, those that another transaction is about to take are passed over."""
        chosen = select(*self._columns(self._layout.key)).where(self._mark.is_(None), *self._where)
        return chosen.order_by(*self._columns(self._layout.order)).limit(limit).with_for_update(skip_locked=True)

    def claim(self, mark: str, keys: Keys) -> Update:
        """Write a mark into rows that are free."""
        return update(self._table).where(self._mark.is_(None), self._among(keys)).values({self._mark: mark})

    def claimed(self, prefix: str, limit: int) -> Select[Any]:
        """Rows with a mark that begins so: the key, the mark, the columns."""
        row = self._columns([*self._layout.key, self._mark.name, *self._layout.columns])
        begins = self._mark.startswith(prefix, autoescape=True)
        return select(*row).where(begins).order_by(self._mark, *self._columns(self._layout.order)).limit(limit)

    def release(self, claim: str, keys: Keys) -> Update:
        """Mark rows of a claim as done."""
        return update(self._table).where(self._mark == claim, self._among(keys)).values({self._mark: DONE})

    def delete(self, claim: str, keys: Keys) -> Delete:
        """Delete rows of a claim."""
        return delete(self._table).where(self._mark == claim, self._among(keys))

    @property
    def _mark(self) -> Column[Any]:
        return self._table.c[self._layout.mark or ""]

    def _columns(self, names: Names) -> list[Column[Any]]:
        return [self._table.c[name] for name in names]

    def _ordered(self, names: Names, where: Sequence[ColumnElement[bool]] | None = None) -> Select[Any]:
        # Labels, because a column may be asked for twice: as a part of the place and for the event.
        what = [column.label(f"c{place}") for place, column in enumerate(self._columns(names))]
        return select(*what).where(*(self._where if where is None else where)).order_by(*self._columns(self._layout.order))

    def _behind(self, after: Place | None) -> list[ColumnElement[bool]]:
        return [] if after is None else [_behind(self._columns(self._layout.order), after)]

    def _among(self, keys: Keys) -> ColumnElement[bool]:
        columns = self._columns(self._layout.key)
        if len(columns) == 1:
            return columns[0].in_([key[0] for key in keys])
        return or_(*(and_(*(column == value for column, value in zip(columns, key, strict=True))) for key in keys))


def _behind(columns: Sequence[Column[Any]], place: Place) -> ColumnElement[bool]:
    """Compare as rows of values do, which not every database knows. The first comparison is what an index can use."""
    return and_(columns[0] >= place[0], or_(*_steps(columns, place, upwards=True)))


def _up_to(columns: Sequence[Column[Any]], place: Place) -> ColumnElement[bool]:
    same = and_(*(column == value for column, value in zip(columns, place, strict=True)))
    return and_(columns[0] <= place[0], or_(*_steps(columns, place, upwards=False), same))


def _steps(columns: Sequence[Column[Any]], place: Place, *, upwards: bool) -> list[ColumnElement[bool]]:
    steps: list[ColumnElement[bool]] = []
    for index, (column, value) in enumerate(zip(columns, place, strict=True)):
        same = [known == place[earlier] for earlier, known in enumerate(columns[:index])]
        steps.append(and_(*same, column > value if upwards else column < value))
    return steps


def _condition(condition: Condition, table: Table, layout: Layout) -> ColumnElement[bool]:
    column = table.c[layout.name(condition.column)]
    match condition.operator:
        case "null":
            return column.is_(None)
        case "not null":
            return column.is_not(None)
        case "in":
            return column.in_(condition.values)
        case operator:
            return column.bool_op(operator)(condition.values[0]) if condition.values else true()
