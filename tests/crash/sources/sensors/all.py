"""One sensor of each kind, each with a trigger that takes note of all its events."""

from __future__ import annotations

import os
from typing import Any

from eventflow import (
    Event,
    FileSensor,
    HTTPSensor,
    RowSensor,
    RunSensor,
    Schedule,
    Secret,
    Trigger,
    WebhookSensor,
)
from eventflow.sensors.http import Items
from pipelines.notes import note

files = FileSensor("files", path="inbox", match="*.txt", settle="50ms", rescan="1s")
rows = RowSensor("rows", "orders.db", table="orders", cursor="id", every="200ms")
polls = HTTPSensor("polls", os.environ.get("FEED", "http://127.0.0.1:1/"), every="200ms", change=Items("items", id="id"), existing="fire")
ticks = Schedule("ticks", every="1s", catchup="all")
hook = WebhookSensor("hook", secrets=[Secret("whsec_" + "c2VjcmV0" * 6)], scheme="standard")
ends = RunSensor("ends", of=note, on="ended")


def told(event: Event[Any]) -> dict[str, str]:
    return {"source": event.source, "name": event.id}


note_files = Trigger("note-files", on=files, run=note, params=told)
note_rows = Trigger("note-rows", on=rows, run=note, params=told)
note_polls = Trigger("note-polls", on=polls, run=note, params=told)
note_ticks = Trigger("note-ticks", on=ticks, run=note, params=told)
note_hook = Trigger("note-hook", on=hook, run=note, params=told)
note_byhand: Trigger[Any] = Trigger("note-byhand", on="byhand", run=note, params=told)
note_ends = Trigger("note-ends", on=ends, run=note, params=told, where=lambda _: False)
