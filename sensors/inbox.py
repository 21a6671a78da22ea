"""The inbox: every CSV file that lands in `data/incoming` retrains the model, once, whatever crashes meanwhile."""

from __future__ import annotations

import os

from eventflow import FileSensor, Trigger
from pipelines.retrain import retrain

PACE = float(os.environ.get("RETRAIN_PACE", "0"))  # seconds to rest after each epoch: the demo sets it, so that one can watch

inbox = FileSensor("inbox", path="data/incoming", match="*.csv", ready="settle", settle="2s")

retrain_on_drop = Trigger("retrain-on-drop", on=inbox, run=retrain, params=lambda event: {"path": event.data.path, "pace": PACE})
