"""Corrected labels become a batch: somebody has looked at digits that the model got wrong, and has written down what they show.

    as_batch -> hand_in

The batch lands in `data/incoming`, where the inbox finds it as it finds any other, and the model is retrained.
"""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path

import msgspec

from eventflow import pipeline, task
from pipelines import batches
from pipelines.batches import COLUMNS, BadBatch, Digits, Table

INCOMING = Path(__file__).parents[1] / "data" / "incoming"


class Correction(msgspec.Struct, frozen=True):
    """A row of the table `corrections`: 64 pixels from 0 to 16 with commas between them, and the digit that they show."""

    id: int
    pixels: str
    label: int


@task
def as_batch(corrections: list[Correction]) -> Digits:
    """Check corrections as any batch is checked. Raises `BadBatch`, which names the rows that are wrong by their ids."""
    wrong = [str(one.id) for one in corrections if one.pixels.count(",") != len(COLUMNS) - 2]
    if wrong:
        raise BadBatch(f"these corrections don't have {len(COLUMNS) - 1} pixels: {', '.join(wrong)}")
    rows = [[*one.pixels.split(","), str(one.label)] for one in corrections]
    return batches.check(Table("corrections", list(COLUMNS), rows, [one.id for one in corrections]))


@task
def hand_in(digits: Digits) -> Path:
    """Put a batch into the inbox, whole. Doing it twice is doing it once: the file is called by what is in it."""
    content = batches.written(digits)
    INCOMING.mkdir(parents=True, exist_ok=True)
    path = INCOMING / f"corrections-{blake2b(content, digest_size=8).hexdigest()}.csv"
    if not path.exists():
        aside = path.with_name(f".{path.name}")
        aside.write_bytes(content)
        aside.replace(path)
    return path


@pipeline(max_active_runs=1, tags=["ml"])
def take_corrections(corrections: list[Correction]) -> Path:
    """From corrected labels to a batch in the inbox."""
    return hand_in(as_batch(corrections))
