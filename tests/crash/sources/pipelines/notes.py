"""A run that takes note of an event, and writes into a ledger that it did."""

from __future__ import annotations

import os

from eventflow import current, pipeline, task
from eventflow.testing import Ledger

_ledger = Ledger(os.environ["LEDGER"]) if "LEDGER" in os.environ else None
"""Absent where a test imports this module only to learn its definitions."""


@task(max_crashes=10_000)  # as many as the process dies: no run is to be given up here
async def take(source: str, name: str) -> str:
    """Says what it was handed."""
    assert _ledger is not None
    here = current()
    _ledger.body_started(here.run, here.node, here.attempt)
    _ledger.body_ended(here.run, here.node, here.attempt, result=f"{source} {name}")
    return f"{source} {name}"


@pipeline
def note(source: str, name: str) -> str:
    """One task: it is the sensors that are tried."""
    return take(source, name)
