"""The circuit breaker: whether a pipeline has failed so often in a row that it is better paused."""

from __future__ import annotations

from eventflow import states
from eventflow.ports import JournalView
from eventflow.projections import PipelineRow, RunRow


async def trips(journal: JournalView, pipeline: str, pause_after: int) -> bool:
    """Tell whether the last `pause_after` runs of a pipeline that ended by themselves have all failed, since it was last let go on.

    A pipeline that is paused already isn't paused again.
    """
    rows = await journal.select(PipelineRow, pipeline=pipeline)
    if rows and rows[0].paused:
        return False
    ended = await journal.select(
        RunRow, pipeline=pipeline, state=(states.SUCCEEDED, states.FAILED), order="ended_at", descending=True, limit=pause_after
    )
    since = rows[0].since if rows else None
    return len(ended) == pause_after and all(run.state == states.FAILED and _is_after(run.ended_at, since) for run in ended)


def _is_after(instant: int | None, since: int | None) -> bool:
    return since is None or (instant is not None and instant > since)
