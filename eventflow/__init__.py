"""eventflow: an asyncio workflow engine on one machine. Sensors see events, triggers fire runs, and a journal loses none of it."""

from __future__ import annotations

from eventflow.context import Checkpoint, Context, current
from eventflow.definition.graph import Graph
from eventflow.definition.options import Retry
from eventflow.definition.pipelines import Call, Pipeline, pipeline
from eventflow.definition.tasks import Task, task
from eventflow.embed import open_engine, run
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
    SensorError,
    ValueNotStorable,
)
from eventflow.events import Event, Observation
from eventflow.ports import Instrument, Seen, Sensor, World
from eventflow.sensors.files import FileSensor, FileVersion
from eventflow.triggers import Trigger

__all__ = [
    "Call",
    "Checkpoint",
    "Context",
    "DefinitionError",
    "Engine",
    "EngineClosed",
    "Event",
    "EventflowError",
    "FileSensor",
    "FileVersion",
    "Graph",
    "Instrument",
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
    "Seen",
    "Sensor",
    "SensorError",
    "Task",
    "Trigger",
    "ValueNotStorable",
    "World",
    "current",
    "open_engine",
    "pipeline",
    "run",
    "task",
]
