"""Rows as databases give them, cell by cell: the place, the key, the version, what is fixed, the columns."""

from __future__ import annotations

from collections.abc import Sequence

from eventflow import codec
from eventflow.sensors.rows.layout import Layout
from eventflow.sensors.rows.records import Found, Spot
from eventflow.sensors.rows.source import Row
from eventflow.sensors.rows.values import identity, instant, plain

Cells = tuple[object, ...]


class Reading:
    """Takes rows apart. They have the cells that `Layout.spot` and `Layout.row` name, in that order."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._order = len(layout.order)
        self._key = self._order + len(layout.key)
        self._spot = len(layout.spot)
        self._fixed = self._spot + len(layout.fixed)

    def spot(self, cells: Cells) -> Spot:
        """Give where a row is."""
        return Spot(cells[: self._order], cells[self._order : self._key], None if self._layout.version is None else cells[self._key])

    def found(self, cells: Cells) -> Found:
        """Give a whole row."""
        spot = self.spot(cells)
        return Found(spot, self._data(cells[self._fixed :]), instant(spot.place[0]), digest(cells[self._spot : self._fixed]))

    def claimed(self, cells: Cells) -> Row:
        """Give a row that was claimed: its cells are what finds it, the mark, and the columns."""
        place = len(self._layout.key) or 1
        key, mark = cells[:place], str(cells[place])
        return Row(f"{identity(key)}#{mark}", key, self._data(cells[place + 1 :]), claim=mark)

    def _data(self, cells: Cells) -> dict[str, object]:
        return dict(zip(self._layout.columns, map(plain, cells), strict=True))


def digest(fixed: Sequence[object]) -> str:
    """Give a short digest of what never changes in a row, none where nothing is known never to change."""
    return codec.digest(codec.canonical([plain(value) for value in fixed]))[:16] if fixed else ""
