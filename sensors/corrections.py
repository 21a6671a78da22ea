"""Corrections: as soon as twenty labels have been corrected in `data/labels.db`, they become a batch for the inbox.

Whatever people correct labels with writes rows into this table; until it makes the file, the sensor waits for it:

    CREATE TABLE corrections (id INTEGER PRIMARY KEY AUTOINCREMENT, pixels TEXT NOT NULL, label INTEGER NOT NULL)

With AUTOINCREMENT SQLite never gives the id of a row that was deleted to another one.
"""

from __future__ import annotations

import msgspec

from eventflow import RowSensor, Trigger
from pipelines.corrections import Correction, take_corrections

ENOUGH = 20
"""How many digits a batch must have, so that some of them can be held out for the test."""

corrections = RowSensor("corrections", "data/labels.db", table="corrections", at_least=ENOUGH, columns=["id", "pixels", "label"])

take_twenty = Trigger(
    "take-corrections",
    on=corrections,
    run=take_corrections,
    params=lambda event: {"corrections": msgspec.convert(event.data["rows"], list[Correction])},
)
