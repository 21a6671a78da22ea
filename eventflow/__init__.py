"""eventflow: an asyncio workflow engine on one machine. Sensors see events, triggers fire runs, and a journal loses none of it."""

from __future__ import annotations

from eventflow.context import Checkpoint, Context, current
from eventflow.definition.graph import Graph
from eventflow.definition.options import Retry
from eventflow.definition.pipelines import Call, Pipeline, pipeline
from eventflow.definition.tasks import Task, task
from eventflow.embed import run
from eventflow.engine.engine import Engine
from eventflow.engine.handle import Run
from eventflow.errors import (
    DefinitionError,
    EngineClosed,
    EventflowError,
    JournalError,
    NotFound,
    ParameterError,
    ProjectError,
    RunCancelled,
    RunError,
    RunFailed,
    ValueNotStorable,
)
from eventflow.events import Event, Observation

__all__ = [
    "Call",
    "Checkpoint",
    "Context",
    "DefinitionError",
    "Engine",
    "EngineClosed",
    "Event",
    "EventflowError",
    "Graph",
    "JournalError",
    "NotFound",
    "Observation",
    "ParameterError",
    "Pipeline",
    "ProjectError",
    "Retry",
    "Run",
    "RunCancelled",
    "RunError",
    "RunFailed",
    "Task",
    "ValueNotStorable",
    "current",
    "pipeline",
    "run",
    "task",
]
