"""Reports: whenever a retraining has ended, however it did, what became of it is kept. Two pipelines in a chain."""

from __future__ import annotations

from collections.abc import Mapping

from eventflow import Event, RunSensor, Trigger
from eventflow.sensors.runs import RunEnded
from pipelines.reports import report, retraining_of
from pipelines.retrain import retrain


def arguments_of(event: Event[RunEnded]) -> Mapping[str, object]:
    """Give what `report` needs to know of a run."""
    run = event.data
    told = retraining_of(
        run=run.run,
        state=run.state,
        arguments=run.arguments,
        result=run.result,
        error=run.error,
        created_at=run.created_at,
        ended_at=run.ended_at or event.time,
    )
    return {"retraining": told}


retrained = RunSensor("retrained", of=retrain, on="ended")

report_on_retraining = Trigger("report-on-retraining", on=retrained, run=report, params=arguments_of)
