"""Runs the project in the current folder as an embedded engine, until as many runs and events as it is told of have ended.

`EXPECTED_RUNS` and `EXPECTED_EVENTS` say how many. `SUBMIT=pipeline:key,...` names runs to ask for, each by its key; `endless` ones are
then cancelled. `EVENTFLOW_FAIL` and `EVENTFLOW_POINTS` are those of `eventflow.failpoints`.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from pathlib import Path

import anyio

from eventflow import Engine, failpoints, open_engine, states
from eventflow.ports import Instrument
from eventflow.projections import EventRow, RunRow
from eventflow.testing import Ledger
from eventflow.testing.ledger import SUBMIT

sys.path.insert(0, str(Path.cwd()))

from pipelines import toy
from sensors import inbox

PIPELINES = (toy.digest, toy.endless, toy.poisoned, toy.poisoned_once, toy.weave, toy.measured)


async def main() -> None:
    instruments = (Troubles(), *failpoints.from_environment(os.environ))
    sensors, triggers = ([inbox.inbox], [inbox.arrivals]) if "EXPECTED_EVENTS" in os.environ else ([], [])
    async with open_engine(
        ".eventflow",
        pipelines=PIPELINES,
        sensors=sensors,
        triggers=triggers,
        drain="5s",
        resources={"loom": 1},
        instruments=instruments,
    ) as engine:
        await submit_all(engine)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(answer_all, engine)
            await all_ended(engine)
            tasks.cancel_scope.cancel()


class Troubles(Instrument):
    """Prints what goes wrong, for the output that is kept."""

    def troubled(self, place: str, error: BaseException) -> None:
        sys.stderr.write(f"{place}:\n{''.join(traceback.format_exception(error))}")


async def submit_all(engine: Engine) -> None:
    ledger = Ledger(os.environ["LEDGER"])
    for wanted in filter(None, os.environ.get("SUBMIT", "").split(",")):
        name, key = wanted.split(":")
        ledger.sent(SUBMIT, key)
        call = getattr(toy, name).bind(**({"path": Path("inbox/submitted.md")} if name == "digest" else {"name": key}))
        run = await engine.submit(call, key=key)
        ledger.acknowledged(SUBMIT, key)
        if name == "endless":
            await run.cancel()
            ledger.cancel_acknowledged(run.id)


async def all_ended(engine: Engine) -> None:
    journal = engine.ports.journal
    runs, events = int(os.environ["EXPECTED_RUNS"]), int(os.environ.get("EXPECTED_EVENTS", "0"))
    while True:
        seq = journal.seq
        ended = await journal.select(RunRow, state=tuple(states.ENDED_RUN))
        if len(ended) >= runs and len(await journal.select(EventRow)) >= events:
            return
        await journal.changed(seq)


async def answer_all(engine: Engine) -> None:
    """Be the person who is asked, and takes time to answer: the run is suspended by then."""
    journal = engine.ports.journal
    while True:
        seq = journal.seq
        for wait in engine.waiting():
            if wait.kind == "answer" and (await engine.state(wait.run)).state == states.SUSPENDED:
                await engine.answer(wait.run, wait.node, answer=True, by="ann")
        await journal.changed(seq)


async def until_stopped() -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stop_at_sigterm, tasks.cancel_scope)
        await main()
        tasks.cancel_scope.cancel()


async def stop_at_sigterm(scope: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()


anyio.run(until_stopped)
