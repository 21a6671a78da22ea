"""Each night at two the model in use is looked after, also when the machine slept at two: then as soon as it is awake."""

from __future__ import annotations

from eventflow import Schedule, Trigger
from pipelines.checkup import check_up

nightly = Schedule("nightly", cron="0 2 * * *", zone="UTC", jitter="5m")

check_up_nightly = Trigger("check-up-nightly", on=nightly, run=check_up, params=lambda event: {"day": event.data.nominal.date()})
