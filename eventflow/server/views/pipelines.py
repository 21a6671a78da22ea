"""Pipelines as answers: what the code on disk says."""

from __future__ import annotations

from typing import Any

import msgspec

from eventflow.definition.pipelines import Pipeline
from eventflow.server.answers import PipelineDetail, PipelineEntry


def entry(pipeline: Pipeline[..., Any]) -> PipelineEntry:
    """Give a pipeline as it stands in a listing."""
    settings = pipeline.settings
    return PipelineEntry(
        pipeline=pipeline.name,
        description=settings.description or (pipeline.fn.__doc__ or "").strip().partition("\n")[0],
        tags=list(settings.tags),
        max_active_runs=settings.max_active_runs,
        where=pipeline.where,
        version=pipeline.definition.version,
    )


def detail(pipeline: Pipeline[..., Any]) -> PipelineDetail:
    """Give a pipeline with its graph and the JSON Schema of its parameters."""
    schema = msgspec.Raw(msgspec.json.encode(pipeline.parameters.schema()))
    return PipelineDetail(pipeline=entry(pipeline), graph=pipeline.definition.graph, parameters=schema)
