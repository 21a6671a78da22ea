"""The plan of recovery for one run of the journal, under a given pipeline: what `recovery` says of what is recorded."""

from __future__ import annotations

from typing import Any

from eventflow.definition.pipelines import Pipeline
from eventflow.engine import recovery
from eventflow.engine.recorded import RecordedRun, recorded_run
from eventflow.engine.recovery import Plan
from eventflow.ports import JournalView
from eventflow.projections import RunRow


async def planned(
    journal: JournalView, run: RunRow, pipeline: Pipeline[..., Any] | None, *, holds: bool | None = None
) -> tuple[Plan, RecordedRun]:
    """Plan how an open run goes on under `pipeline`, None where that is gone. Gives what is recorded of the run beside the plan.

    `holds` has it wait for a person where its code has changed; None leaves that to the pipeline's author.
    """
    recorded = await recorded_run(journal, run)
    by_author = pipeline is not None and pipeline.settings.on_code_change == "hold"
    definition = None if pipeline is None else pipeline.definition
    keeps = by_author if holds is None else holds
    return recovery.plan(run, recorded.nodes, recorded.graph, recorded.given, definition, holds=keeps), recorded
