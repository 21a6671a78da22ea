"""Every file that lands in `inbox/` is digested, but the empty ones."""

from __future__ import annotations

from eventflow import FileSensor, Trigger
from pipelines.toy import digest

inbox = FileSensor("inbox", path="inbox", match="*.txt", settle="50ms", rescan="1s")

arrivals = Trigger("arrivals", on=inbox, run=digest, where=lambda event: event.data.size > 0)
