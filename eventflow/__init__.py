"""eventflow: an asyncio workflow engine on one machine. Sensors see events, triggers fire runs, and a journal loses none of it."""

from __future__ import annotations

from eventflow.definition.graph import Graph
from eventflow.definition.options import Retry
from eventflow.definition.pipelines import Call, Pipeline, pipeline
from eventflow.definition.tasks import Task, task
from eventflow.errors import DefinitionError, EventflowError, ParameterError, ValueNotStorable

__all__ = [
    "Call",
    "DefinitionError",
    "EventflowError",
    "Graph",
    "ParameterError",
    "Pipeline",
    "Retry",
    "Task",
    "ValueNotStorable",
    "pipeline",
    "task",
]
