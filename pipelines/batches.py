"""Batches of handwritten digits: CSV files with 64 pixels and a label in each row. How they are read, refused and divided."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

PIXELS = tuple(f"pixel_{place:02d}" for place in range(64))
COLUMNS = (*PIXELS, "label")
DARKEST = 16
LARGEST = 64 * 2**20
SHOWN = 8


class BadBatch(ValueError):
    """A batch that must not reach a model. The message names the lines and what is wrong with each."""


@dataclass(frozen=True)
class Table:
    """A CSV file as text, nothing about it believed yet. `lines` says where in the file each row ends, from 1 on."""

    name: str
    columns: list[str]
    rows: list[list[str]]
    lines: list[int]


@dataclass(frozen=True)
class Digits:
    """Pictures of 8 x 8 pixels, row by row from 0 (white) to 16 (black), each with the digit that it shows."""

    pixels: list[list[float]]
    labels: list[int]

    def __len__(self) -> int:
        return len(self.labels)

    def joined(self, other: Digits) -> Digits:
        """Give these digits and those of `other` whose picture is not yet among them."""
        known = {tuple(picture) for picture in self.pixels}
        new = [place for place, picture in enumerate(other.pixels) if tuple(picture) not in known]
        return Digits([*self.pixels, *(other.pixels[n] for n in new)], [*self.labels, *(other.labels[n] for n in new)])

    def divided(self) -> tuple[Digits, Digits]:
        """Give three quarters for training and a quarter for testing.

        On which side a picture falls depends on the picture alone: what one model was trained on never tests another.
        """
        held = [_is_held_out(picture) for picture in self.pixels]
        return self._where([not test for test in held]), self._where(held)

    def _where(self, wanted: Sequence[bool]) -> Digits:
        chosen = [place for place, one in enumerate(wanted) if one]
        return Digits([self.pixels[n] for n in chosen], [self.labels[n] for n in chosen])


def read(path: Path) -> Table:
    """Give a CSV file's cells as they stand. Raises `OSError`, and `BadBatch` where it isn't CSV at all."""
    name = shown(path)
    if path.stat().st_size > LARGEST:
        raise BadBatch(f"{name} is larger than {LARGEST // 2**20} MiB: split it")
    return parse(path.read_bytes(), name)


def parse(content: bytes, name: str) -> Table:
    """Give the cells of CSV content. Bytes that are no UTF-8 become a mark that no number contains, so that `check` refuses them."""
    reader = csv.reader(io.StringIO(content.decode("utf-8-sig", errors="replace"), newline=""))
    columns: list[str] = []
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            if not columns:
                columns = [cell.strip() for cell in row]
            else:
                rows.append(row)
                lines.append(reader.line_num)
    except csv.Error as error:
        raise BadBatch(f"{name} is no CSV file (line {reader.line_num}: {error})") from error
    return Table(name, columns, rows, lines)


def check(table: Table) -> Digits:
    """Give the digits of a table whose every row is good. Raises `BadBatch`, which names the rows that are not."""
    absent = [name for name in COLUMNS if name not in table.columns]
    if absent:
        raise BadBatch(f"{table.name} lacks {_listed(absent, 'column')}; a batch has pixel_00 to pixel_63 and label")
    if not table.rows:
        raise BadBatch(f"{table.name} has no rows below its header")
    places = [table.columns.index(name) for name in COLUMNS]
    digits = Digits([], [])
    faults: list[str] = []
    for line, row in zip(table.lines, table.rows, strict=True):
        try:
            picture, label = _digit(row, len(table.columns), places)
        except BadBatch as fault:
            faults.append(f"line {line}: {fault}")
        else:
            digits.pixels.append(picture)
            digits.labels.append(label)
    if faults:
        rest = [f"and {len(faults) - SHOWN} more"] if len(faults) > SHOWN else []
        raise BadBatch("\n  ".join([f"{table.name}: {len(faults)} of {len(table.rows)} rows are bad", *faults[:SHOWN], *rest]))
    return digits


def written(digits: Digits) -> bytes:
    """Give digits as the CSV content that `read` and `check` accept."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for picture, label in zip(digits.pixels, digits.labels, strict=True):
        writer.writerow([*(f"{pixel:g}" for pixel in picture), label])
    return text.getvalue().encode()


def shown(path: Path) -> str:
    """Give a file's name with everything that could upset a terminal escaped."""
    return repr(path.name)[1:-1]


def _digit(row: Sequence[str], width: int, places: Sequence[int]) -> tuple[list[float], int]:
    if len(row) != width:
        raise BadBatch(f"it has {len(row)} cells where the header has {width}")
    cells = [row[place].strip() for place in places]
    return [_pixel(name, cell) for name, cell in zip(PIXELS, cells, strict=False)], _label(cells[-1])


def _pixel(name: str, cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        raise BadBatch(f"{name} is {cell[:20]!r}, not a number") from None
    if math.isnan(value):
        raise BadBatch(f"{name} is NaN")
    if not 0 <= value <= DARKEST:
        raise BadBatch(f"{name} is {cell[:20]}, not within 0 to {DARKEST}")
    return value


def _label(cell: str) -> int:
    if len(cell) != 1 or cell not in "0123456789":
        raise BadBatch(f"label is {cell[:20]!r}, not a digit from 0 to 9")
    return int(cell)


def _listed(names: Sequence[str], noun: str) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"the {noun}{'s' if len(names) > 1 else ''} {', '.join(names[:SHOWN])}{more}"


def _is_held_out(picture: Sequence[float]) -> bool:
    return blake2b(repr(picture).encode(), digest_size=1).digest()[0] % 4 == 0
