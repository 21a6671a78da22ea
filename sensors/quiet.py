"""A quiet inbox: on working days somebody is to deliver a batch by nine. If nobody did, there is a reminder."""

from __future__ import annotations

from eventflow import AbsenceSensor, Trigger
from pipelines.reminders import remind
from sensors.inbox import inbox

no_batch = AbsenceSensor("no-batch", of=inbox, by="0 9 * * mon-fri", zone="UTC")

remind_of_batch = Trigger("remind-of-batch", on=no_batch, run=remind)
