"""How a run ended, as whoever asked for it hears of it: its result, or an exception."""

from __future__ import annotations

from eventflow import facts, ids, states
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
            raise RunFailed(row.run, f"{named}: {_told(failure, node)}")
        case _:
            raise RunCancelled(row.run, f"{named} was cancelled" + (f": {row.reason}" if row.reason else ""))


def _told(failure: Failure, node: str | None) -> str:
    if node is None:
        return f"its result couldn't be made: {failure}" if failure.traceback else str(failure)  # nobody raises that its time is over
    ended = None if failure.message else _ENDED.get(failure.type)
    return f"node {node!r} failed: {failure}" if ended is None else f"node {node!r} {ended}"


_ENDED = {states.CANCELLED: "was cancelled", states.UPSTREAM_FAILED: "could not run"}
