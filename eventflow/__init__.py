"""eventflow: an asyncio workflow engine on one machine. Sensors see events, triggers fire runs, and a journal loses none of it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from eventflow.context import Checkpoint, Context, Ended, current, skip
from eventflow.definition.axes import across, each
from eventflow.definition.branches import maybe, one_of, otherwise, when
from eventflow.definition.children import run_pipeline
from eventflow.definition.dags import DAG
from eventflow.definition.graph import Graph
from eventflow.definition.grouping import group
from eventflow.definition.pipelines import Call, Pipeline, pipeline
from eventflow.definition.retries import Retry
from eventflow.definition.tasks import Task, task
from eventflow.definition.waits import approval, sleep_until, wait_for
from eventflow.embed import open_engine, run
from eventflow.engine.engine import Engine
from eventflow.engine.handle import Run
from eventflow.engine.publishing import Published
from eventflow.engine.reruns import RerunPlan
from eventflow.engine.waits import Waiting
from eventflow.errors import (
    DefinitionError,
    EngineClosed,
    EventConflict,
    EventflowError,
    FileChanged,
    JournalError,
    NotFound,
    ParameterError,
    ProjectError,
    RunCancelled,
    RunError,
    RunFailed,
    SensorError,
    SourceUnreachable,
    ValueNotStorable,
)
from eventflow.events import Event, Observation
from eventflow.ports import Checkable, Explaining, Instrument, Seen, Sensor, World
from eventflow.secret import Secret
from eventflow.sensors.files import FileSensor, FileVersion
from eventflow.triggers import Trigger

if TYPE_CHECKING:
    from eventflow.sensors.absences import AbsenceSensor
    from eventflow.sensors.http import HTTPSensor, StreamSensor
    from eventflow.sensors.objects import ObjectSensor
    from eventflow.sensors.own import sensor
    from eventflow.sensors.rows.sensor import RowSensor
    from eventflow.sensors.runs import RunSensor
    from eventflow.sensors.schedules import Schedule
    from eventflow.sensors.webhooks import WebhookSensor

_KINDS = {
    "AbsenceSensor": "eventflow.sensors.absences",
    "HTTPSensor": "eventflow.sensors.http",
    "ObjectSensor": "eventflow.sensors.objects",
    "RowSensor": "eventflow.sensors.rows.sensor",
    "RunSensor": "eventflow.sensors.runs",
    "Schedule": "eventflow.sensors.schedules",
    "StreamSensor": "eventflow.sensors.http",
    "WebhookSensor": "eventflow.sensors.webhooks",
    "sensor": "eventflow.sensors.own",
}
"""Kinds of sensor, and where they are: imported when they are first asked for, because each brings a library that not everybody needs."""

__all__ = [  # noqa: RUF022  # DAG is a class, and stands among the others
    "AbsenceSensor",
    "Call",
    "Checkable",
    "Checkpoint",
    "Context",
    "DAG",
    "DefinitionError",
    "Ended",
    "Engine",
    "EngineClosed",
    "Event",
    "EventConflict",
    "EventflowError",
    "Explaining",
    "FileChanged",
    "FileSensor",
    "FileVersion",
    "Graph",
    "HTTPSensor",
    "Instrument",
    "JournalError",
    "NotFound",
    "ObjectSensor",
    "Observation",
    "ParameterError",
    "Pipeline",
    "ProjectError",
    "Published",
    "RerunPlan",
    "Retry",
    "RowSensor",
    "Run",
    "RunCancelled",
    "RunError",
    "RunFailed",
    "RunSensor",
    "Schedule",
    "Secret",
    "Seen",
    "Sensor",
    "SensorError",
    "SourceUnreachable",
    "StreamSensor",
    "Task",
    "Trigger",
    "ValueNotStorable",
    "Waiting",
    "WebhookSensor",
    "World",
    "across",
    "approval",
    "current",
    "each",
    "group",
    "maybe",
    "one_of",
    "open_engine",
    "otherwise",
    "pipeline",
    "run",
    "run_pipeline",
    "sensor",
    "skip",
    "sleep_until",
    "task",
    "wait_for",
    "when",
]


def __getattr__(name: str) -> object:
    if name in _KINDS:
        return getattr(import_module(_KINDS[name]), name)
    raise AttributeError(f"module 'eventflow' has no attribute {name!r}")
