"""What is wrong in a project whose modules were imported: in its pipelines, its sensors, its triggers, and between them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar, is_typeddict

from eventflow import codec, triggers
from eventflow.definition import annotations
from eventflow.definition.bodies import Body
from eventflow.definition.pipelines import Pipeline
from eventflow.definition.waits import data_of
from eventflow.engine.resources import Resources
from eventflow.errors import DefinitionError
from eventflow.project.contents import Contents, Found
from eventflow.project.names import wrong_names
from eventflow.triggers import Trigger


class _Named(Protocol):
    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=_Named)


def mistakes_in(found: Contents, resources: Mapping[str, float], *, is_whole: bool) -> list[str]:
    """Give every mistake, as `file:line: message`. `resources` are those of the project's settings.

    Where the settings, or some modules, could not be read (`is_whole` is false), nothing is said about what may be missing because of that.
    """
    broken = [f"{sensor.place}: {mistake}" for sensor in found.sensors for mistake in triggers.mistakes_in(sensor.value)]
    mistakes = [mistake for pipeline in found.pipelines for mistake in _in_pipeline(pipeline, Resources(resources) if is_whole else None)]
    mistakes += _twice("pipelines", found.pipelines)
    mistakes += broken or _twice("sensors", found.sensors)
    mistakes += _twice("triggers", found.triggers)
    for trigger in found.triggers:
        mistakes += (f"{trigger.place}: trigger {trigger.value.name!r} {wrong}" for wrong in _in_trigger(trigger.value, found, is_whole))
    if is_whole and not broken:
        mistakes += wrong_names(found)
    return mistakes


def _in_pipeline(found: Found[Pipeline[..., Any]], resources: Resources | None) -> Iterator[str]:
    try:
        for body in found.value.definition.bodies.values():  # which is traced and checked here
            if isinstance(body, Body) and resources is not None:
                resources.check(body.options.uses, found.place)
    except DefinitionError as error:
        yield f"{error.where or found.place}: {error.message}"


def _twice(kind: str, all_found: Sequence[Found[N]]) -> Iterator[str]:
    first: dict[str, str] = {}
    for one in all_found:
        name = one.value.name
        if name in first:
            yield f"{one.place}: two {kind} are named {name!r}: the other one is at {first[name]}"
        else:
            first[name] = one.place


def _in_trigger(trigger: Trigger[Any], found: Contents, is_whole: bool) -> Iterator[str]:  # noqa: FBT001 - passed on
    for option, kind, value, known, folder in (
        ("on", "sensor", trigger.on, found.sensors, "sensors/"),
        ("run", "pipeline", trigger.run, found.pipelines, "pipelines/"),
    ):
        if is_whole and not isinstance(value, str) and not any(one.value is value for one in known):
            yield f"has {option}={value!r}, which is no {kind} of this project: give it a name of its own in a module of {folder}"
    if trigger.params is None and any(one.value is trigger.run for one in found.pipelines):
        yield from _unfilled(trigger, _sensor(trigger.on, found))


def _sensor(on: object, found: Contents) -> object:
    """Give the sensor that a trigger is on, also where it was given as its name; None where there is none."""
    if not isinstance(on, str):
        return on
    sound = (one.value for one in found.sensors if not any(triggers.mistakes_in(one.value)))
    return next((sensor for sensor in sound if sensor.name == on), None)


def _unfilled(trigger: Trigger[Any], sensor: object) -> Iterator[str]:
    data = _data_type(sensor)
    if data is None:
        return
    try:
        required: list[str] = trigger.run.parameters.schema()["required"]
    except DefinitionError:
        return  # said of the pipeline already
    missing = [name for name in required if name not in _fields(data) and not hasattr(data, name)]
    if missing:
        named = ", ".join(map(repr, missing))
        yield (
            f"has no params, and the events of sensor {trigger.source!r} carry {annotations.text(data)}, which has no {named} "
            f"for pipeline {trigger.run.name!r}: say params=lambda event: {{{missing[0]!r}: ...}}"
        )


def _data_type(sensor: object) -> type | None:
    """Give the class of the data in a sensor's events, where its annotations tell it and its fields are known."""
    data = data_of(sensor)
    return data if isinstance(data, type) and _fields(data) else None


def _fields(data: type) -> Collection[str]:
    return data.__annotations__ if is_typeddict(data) else codec.field_names(data)
