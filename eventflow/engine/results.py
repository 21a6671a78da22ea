"""How a run ended, as whoever asked for it hears of it: its result, or an exception."""

from __future__ import annotations

from eventflow import facts, ids
from eventflow.engine.values import Values
from eventflow.errors import RunCancelled, RunFailed
from eventflow.facts import Failure, Inline
from eventflow.ports import Journal
from eventflow.projections import RunRow


async def result_of(row: RunRow, journal: Journal, values: Values, annotation: object) -> object:
    """Give the result of a run that has ended, as its annotation wants it. Raises `RunFailed` or `RunCancelled`."""
    ending = None if row.result_seq is None else (await journal.facts([row.result_seq])).get(row.result_seq)
    named = f"run {ids.short(row.run)} of {row.pipeline}"
    match ending:
        case facts.RunSucceeded(result=Inline(json=json)) if bytes(json) == b"null":
            return None  # also where the annotation has no None: what the pipeline returns was skipped
        case facts.RunSucceeded(result=result):
            return await values.open(result, annotation)
        case facts.RunFailed(failure=failure, node=node):
            raise RunFailed(row.run, f"{named}: {_where(failure, node)}{failure}")
        case _:
            raise RunCancelled(row.run, f"{named} was cancelled" + (f": {row.reason}" if row.reason else ""))


def _where(failure: Failure, node: str | None) -> str:
    if node is not None:
        return f"node {node!r} failed: "
    return "its result couldn't be made: " if failure.traceback else ""  # nobody raises that its time is over
