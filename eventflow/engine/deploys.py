"""What a restart would do with the runs that are open, under the pipelines as the code has them now. It changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from eventflow import states
from eventflow.definition.bodies import ChildBody
from eventflow.definition.pipelines import Pipeline
from eventflow.engine.planning import planned
from eventflow.engine.recovery import Plan
from eventflow.ports import JournalView
from eventflow.projections import RunRow

UNCHANGED, NEW_CODE, HELD, CANCELLED = "unchanged", "new_code", "held", "cancelled"
"""What can become of an open run: it goes on as it is, or with new code; it waits for a person; it is cancelled, as was asked for."""


class DeployEntry(msgspec.Struct, frozen=True):
    """What a restart would do with one open run, which is in `state` now.

    `what` is `unchanged`, `new_code` (for the nodes named, as paths: `train[]` stands for all items of a map), `held` (with the reason)
    or `cancelled`.
    """

    run: str
    pipeline: str
    state: str
    what: str
    nodes: tuple[str, ...] = ()
    reason: str | None = None


async def deploy_plan(journal: JournalView, pipelines: Iterable[Pipeline[..., Any]]) -> list[DeployEntry]:
    """Give what would become of each open run, in the order in which they were submitted.

    `pipelines` are today's; those that they run are taken along. Raises `JournalDamaged` where a run isn't recorded as a whole.
    """
    known = dict(_with_children(pipelines, {}))
    rows = await journal.select(RunRow, state=tuple(states.OPEN_RUN), order="seq")
    return [_entry(row, (await planned(journal, row, known.get(row.pipeline)))[0]) for row in rows]


def _entry(row: RunRow, plan: Plan) -> DeployEntry:
    what = CANCELLED if plan.cancelled else HELD if not plan.resumes else NEW_CODE if plan.changed else UNCHANGED
    return DeployEntry(row.run, row.pipeline, row.state, what, plan.changed, plan.reason)


def _with_children(pipelines: Iterable[Pipeline[..., Any]], known: dict[str, Pipeline[..., Any]]) -> Mapping[str, Pipeline[..., Any]]:
    for pipeline in pipelines:
        if pipeline.name not in known:
            known[pipeline.name] = pipeline
            bodies = pipeline.definition.bodies.values()
            _with_children([body.pipeline for body in bodies if isinstance(body, ChildBody)], known)
    return known
