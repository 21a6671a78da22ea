"""Write handwritten digits, those that ship with scikit-learn, as a CSV batch for the inbox.

    python examples/digits.py data/incoming/first.csv --rows 0:300
    python examples/digits.py data/incoming/wrong.csv --rows 300:500 --spoil labels

There are 1,797 digits, always in the same order. `--spoil` writes a batch as the world sends them sometimes: `labels` (each digit is
called by the next one's name: well-formed and wrong), `cells` (NaN, words and missing cells here and there), `columns` (one is missing),
`rows` (there are none).
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from sklearn.datasets import load_digits

Rows: TypeAlias = list[list[str]]

HEADER = [*(f"pixel_{place:02d}" for place in range(64)), "label"]


def batch(first: int, last: int, spoil: str = "nothing") -> str:
    """Give the digits from `first` to before `last` as CSV content, spoilt in one of the ways of `SPOILT`."""
    pixels, labels = load_digits(return_X_y=True)
    order = list(range(len(labels)))
    random.Random(1797).shuffle(order)  # noqa: S311  (a fixed order, not a secret)
    rows = [HEADER, *([*(str(int(pixel)) for pixel in pixels[place]), str(labels[place])] for place in order[first:last])]
    return "".join(",".join(row) + "\n" for row in SPOILT[spoil](rows))


def put(content: str, path: Path) -> None:
    """Write a file aside and rename it: who watches the folder never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.part")
    aside.write_text(content, encoding="ascii")
    aside.rename(path)


def _wrong_labels(rows: Rows) -> Rows:
    return [rows[0], *([*row[:-1], str((int(row[-1]) + 1) % 10)] for row in rows[1:])]


def _bad_cells(rows: Rows) -> Rows:
    for number, row in enumerate(rows[1:]):
        match number % 40:
            case 5:
                row[number % 64] = "NaN"
            case 17:
                row[-1] = "eleven"
            case 29:
                row.pop()
            case _:
                pass
    return rows


SPOILT: dict[str, Callable[[Rows], Rows]] = {
    "nothing": lambda rows: rows,
    "labels": _wrong_labels,
    "cells": _bad_cells,
    "columns": lambda rows: [row[:20] + row[21:] for row in rows],
    "rows": lambda rows: rows[:1],
}


def main() -> None:
    """Write the batch that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("--rows", default="0:300", help="from:to, by default 0:300")
    parser.add_argument("--spoil", choices=SPOILT, default="nothing")
    asked = parser.parse_args()
    first, _, last = asked.rows.partition(":")
    put(batch(int(first), int(last), asked.spoil), asked.path)
    print(f"{asked.path}: digits {first} to {last}")


if __name__ == "__main__":
    main()
