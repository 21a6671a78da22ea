"""A trigger: the rule by which the events of a sensor fire runs of a pipeline."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, ParamSpec, TypeVar

from eventflow.definition.pipelines import Pipeline
from eventflow.definition.places import user_place
from eventflow.errors import DefinitionError
from eventflow.events import Event
from eventflow.ids import misnamed
from eventflow.ports import Sensor

D = TypeVar("D")
P = ParamSpec("P")
R = TypeVar("R")


class Trigger(Generic[D]):
    """Fires one run of a pipeline for each event of a sensor; or, where `on` is a name, for each that is published with that source.

    `where` says which events count: for the others the decision is `filtered`. `params` makes the pipeline's arguments of an event;
    without it they are the fields of the event's data that bear a parameter's name. Both are asked once per event, outside any
    transaction, and what they say is recorded before it is used. Where one of them raises, the decision is `refused`, with the reason.

    Raises `DefinitionError`, which names the line, for what can't be meant.
    """

    def __init__(
        self,
        name: str,
        *,
        on: Sensor[D] | str,
        run: Pipeline[..., Any],
        params: Callable[[Event[D]], Mapping[str, object]] | None = None,
        where: Callable[[Event[D]], bool] | None = None,
    ) -> None:
        self.place = user_place()
        mistake = _mistake(name, on, run, {"params": params, "where": where})
        if mistake is not None:
            raise DefinitionError(mistake, self.place)
        self.name = name
        self.on = on
        self.run = run
        self.params = params
        self.where = where

    def __repr__(self) -> str:
        return f"<Trigger {self.name!r}: {self.source} fires {self.run.name}>"

    @property
    def source(self) -> str:
        """The source of the events that count."""
        return self.on if isinstance(self.on, str) else self.on.name


def check(sensors: Sequence[Sensor[Any]], triggers: Sequence[Trigger[Any]]) -> None:
    """Check that sensors are written as they must be, and fit together with triggers.

    Raises `DefinitionError` for the first of `mistakes_in` a sensor, for two of one name, and for a trigger on a sensor not given.
    """
    for sensor in sensors:
        for mistake in mistakes_in(sensor):
            raise DefinitionError(mistake, _place(sensor))
    for kind, named in (("sensors", sensors), ("triggers", triggers)):
        taken: set[str] = set()
        for one in named:
            if one.name in taken:
                raise DefinitionError(f"two {kind} are named {one.name!r}", _place(one))
            taken.add(one.name)
    for trigger in triggers:
        if not isinstance(trigger.on, str) and not any(trigger.on is sensor for sensor in sensors):
            message = f"trigger {trigger.name!r} is on sensor {trigger.source!r}, which isn't among those given"
            raise DefinitionError(message, trigger.place)


def mistakes_in(sensor: Sensor[Any]) -> Iterator[str]:
    """Give what is wrong with how a sensor is written. No class stands above all sensors that could check it."""
    try:
        name, interval = _as_written(sensor.name), _as_written(sensor.interval)
    except Exception as error:  # noqa: BLE001 - both may be properties, which are user code
        yield f"the sensor's name and interval can't be read: {type(error).__name__}: {error}"
        return
    if mistake := misnamed(name, "sensor"):
        yield mistake
    if interval is not None and (isinstance(interval, bool) or not isinstance(interval, int | float) or not interval > 0):
        yield f"sensor {name!r} has interval {interval!r}: give a number of seconds, or None"
    if not callable(sensor.observe):
        yield f"sensor {name!r} has an observe that can't be called: write `async def observe(self, cursor, seen, world)`"
    elif inspect.iscoroutinefunction(sensor.observe):
        yield f"sensor {name!r} never yields: its `async def observe` must yield observations"


def _as_written(value: object) -> object:
    return value  # whatever the protocol promises of it


def _mistake(name: object, on: object, run: object, functions: Mapping[str, object]) -> str | None:
    if misfit := misnamed(name, "trigger"):
        return misfit
    if misfit := _no_source(on):
        return f"trigger {name!r}: {misfit}"
    if not isinstance(run, Pipeline):
        return f"trigger {name!r}: run={run!r} is no pipeline: give the name of a function under @pipeline, without brackets"
    for option, function in functions.items():
        if function is not None and not callable(function):
            return f"trigger {name!r}: {option}={function!r} is no function: give one that takes the event, such as lambda event: ..."
        if inspect.iscoroutinefunction(function):
            return f"trigger {name!r}: {option} is an async function, which can't be asked for a decision: write def"
    return None


def _no_source(on: object) -> str | None:
    if isinstance(on, str):
        return misnamed(on, "source of events")
    if isinstance(on, type) or not callable(getattr(on, "observe", None)):
        return f"on={on!r} is no sensor: give one that was made, such as FileSensor('inbox', path='inbox')"
    return None


def _place(one: Sensor[Any] | Trigger[Any]) -> str | None:
    place = getattr(one, "place", None)
    return place if isinstance(place, str) else None
