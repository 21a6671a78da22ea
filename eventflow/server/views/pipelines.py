"""Pipelines as answers: what the code on disk says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from eventflow.definition.pipelines import Pipeline
from eventflow.ports import JournalView
from eventflow.projections import PipelineRow
from eventflow.server.answers import Pause, PipelineDetail, PipelineEntry


async def pauses(journal: JournalView, names: Sequence[str]) -> dict[str, Pause]:
    """Give the pauses of those of some pipelines that are paused."""
    rows = await journal.select(PipelineRow, pipeline=tuple(names), paused=True) if names else []
    return {row.pipeline: Pause(row.since, row.reason or "") for row in rows}


def entry(pipeline: Pipeline[..., Any], paused: Pause | None = None) -> PipelineEntry:
    """Give a pipeline as it stands in a listing."""
    settings = pipeline.settings
    return PipelineEntry(
        pipeline=pipeline.name,
        description=settings.description or (pipeline.fn.__doc__ or "").strip().partition("\n")[0],
        owner=settings.owner,
        tags=list(settings.tags),
        max_active_runs=settings.max_active_runs,
        where=pipeline.where,
        version=pipeline.definition.version,
        paused=paused,
    )


def detail(pipeline: Pipeline[..., Any], paused: Pause | None = None) -> PipelineDetail:
    """Give a pipeline with its graph and the JSON Schema of its parameters."""
    schema = msgspec.Raw(msgspec.json.encode(pipeline.parameters.schema()))
    return PipelineDetail(pipeline=entry(pipeline, paused), graph=pipeline.definition.graph, parameters=schema)
