"""`@sensor`: an async generator function as a sensor."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, Generic, ParamSpec, Protocol, TypeAlias, TypeVar, cast, get_args, get_origin, overload

from eventflow.definition import annotations, places
from eventflow.durations import Duration, seconds
from eventflow.errors import EventflowError
from eventflow.events import Event, Observation
from eventflow.ids import misnamed
from eventflow.ports import Seen, World
from eventflow.sensors.portions import portions

__all__ = ["OwnSensor", "sensor"]

D = TypeVar("D")
D_co = TypeVar("D_co", covariant=True)
F_co = TypeVar("F_co", covariant=True)
P = ParamSpec("P")

Yielded: TypeAlias = Event[D] | Observation[D] | Sequence[Event[D]]
"""What a function under `@sensor` may yield."""

_TAKES = ("cursor", "seen", "world")


class OwnSensor(Generic[D_co, F_co]):
    """A sensor that does what an async generator function does. Made by `@sensor`."""

    def __init__(self, fn: F_co, name: str | None, interval: Duration | None) -> None:
        with places.naming_the_line():
            self._call = _checked(fn)
            self.name = _name(self._call, name)
            self.interval = _interval(self.name, interval)
            self._takes = _parameters(self.name, self._call)
        self._fn = fn
        self.place = places.of_function(self._call)

    def __repr__(self) -> str:
        return f"<sensor {self.name!r}: {self.place}>"

    @property
    def fn(self) -> F_co:
        """The function itself, as it was written: call that in a unit test."""
        return self._fn

    @property
    def data_type(self) -> Any:
        """The annotation of what its events carry as data, Any where the function doesn't tell."""
        return _data_in(annotations.of_function(self._call).get("return"))

    async def observe(self, cursor: object, seen: Seen, world: World) -> AsyncGenerator[Observation[D_co], None]:
        """Yield what the function yields, as observations. An event leaves the cursor where it is.

        Raises `EventflowError` where it yields something else, or an event that isn't this sensor's own; and where it ends.
        """
        given = {"cursor": cursor, "seen": seen, "world": world}
        async with aclosing(self._call(**{name: given[name] for name in self._takes})) as results:
            async for result in results:
                for observation in self._observations(result, cursor):
                    cursor = observation.cursor
                    yield observation
        raise EventflowError(f"{self._named} ended: a sensor must go on for ever, as with `while True:`")

    def _observations(self, result: object, cursor: object) -> Iterator[Observation[Any]]:
        if isinstance(result, Observation):
            observation = cast("Observation[Any]", result)
            for event in (*observation.events, *observation.missed):
                self._check(event)
            yield observation
            return
        listed = cast("Sequence[object]", result if isinstance(result, list | tuple) else [result])
        events = tuple(self._check(event) for event in listed)
        for portion in portions(events) if events else [()]:
            yield Observation(events=tuple(portion), cursor=cursor)

    def _check(self, event: object) -> Event[Any]:
        if not isinstance(event, Event):
            told = f"yielded {_shown(event)}: yield an event, made by world.event(id, data), a list of events, or an Observation"
            raise EventflowError(f"{self._named} {told}")
        told = cast("Event[Any]", event)
        if not isinstance(told.id, str) or not told.id:  # pyright: ignore[reportUnnecessaryIsInstance] - sensors are user code
            raise EventflowError(f"{self._named} yielded an event without an id: give a text, the same whenever this event is seen")
        if told.source != self.name:
            raise EventflowError(f"{self._named} yielded an event of source {told.source!r}: make its events by world.event(id, data)")
        return told

    @property
    def _named(self) -> str:
        return f"sensor {self.name!r} ({self.place})"


class Decorator(Protocol):
    """What `sensor(name=..., interval=...)` gives: put it above an async generator function."""

    @overload
    def __call__(self, fn: Callable[P, AsyncIterator[Event[D]]], /) -> OwnSensor[D, Callable[P, AsyncIterator[Event[D]]]]: ...
    @overload
    def __call__(self, fn: Callable[P, AsyncIterator[Yielded[D]]], /) -> OwnSensor[D, Callable[P, AsyncIterator[Yielded[D]]]]: ...


@overload
def sensor(fn: Callable[P, AsyncIterator[Event[D]]], /) -> OwnSensor[D, Callable[P, AsyncIterator[Event[D]]]]: ...
@overload
def sensor(fn: Callable[P, AsyncIterator[Yielded[D]]], /) -> OwnSensor[D, Callable[P, AsyncIterator[Yielded[D]]]]: ...
@overload
def sensor(*, name: str | None = None, interval: Duration | None = None) -> Decorator: ...
def sensor(fn: Any = None, /, *, name: str | None = None, interval: Duration | None = None) -> Any:
    """Make a sensor of an async generator function that goes on for ever.

        @sensor(interval="10m")
        async def free_space(world: World) -> AsyncIterator[Event[int]]:
            while True:
                yield world.event(id=..., data=...)
                await world.clock.sleep(60)

    It takes any of `cursor`, `seen` and `world`, by name; they are what `Sensor.observe` is given. It yields events; or lists of them,
    an empty one as a sign of life; or `Observation`s, which alone can move the cursor. `interval` is the longest time between two of
    these: a sensor that misses it is started anew. The sensor has the function's name, unless it is given another.

    Raises `DefinitionError`, which names the line, for what can't be meant.
    """
    if fn is not None:
        return OwnSensor[Any, Any](fn, name, interval)
    return partial(OwnSensor[Any, Any], name=name, interval=interval)


def _checked(fn: object) -> Callable[..., AsyncGenerator[object, None]]:
    if not inspect.isasyncgenfunction(fn):
        named = getattr(fn, "__name__", None) or repr(fn)
        raise ValueError(f"@sensor takes a function written as `async def` with `yield` in it, and {named} isn't one")
    return fn


def _name(fn: Callable[..., object], name: str | None) -> str:
    given = fn.__name__ if name is None else name
    if mistake := misnamed(given, "sensor"):
        raise ValueError(f"{mistake}; give it one with sensor(name=...)" if name is None else mistake)
    return given


def _interval(name: str, interval: Duration | None) -> float | None:
    length = None if interval is None else seconds(interval)
    if length == 0:
        raise ValueError(f"sensor {name!r} has interval={interval!r}: give the longest time between two of its observations, such as '10m'")
    return length


def _parameters(name: str, fn: Callable[..., object]) -> tuple[str, ...]:
    parameters = inspect.signature(fn).parameters
    for one in parameters.values():
        if one.name not in _TAKES or one.kind not in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY):
            raise ValueError(f"sensor {name!r} takes {one}, but a sensor is given cursor, seen and world, by these names")
    return tuple(parameters)


def _data_in(yields: object) -> Any:
    """Give what stands inside `Event[...]` or `Observation[...]`, wherever these are in an annotation."""
    if get_origin(yields) in (Event, Observation):
        (data,) = get_args(yields)
        return Any if isinstance(data, TypeVar) else data
    found = [_data_in(part) for part in get_args(yields) if get_args(part)]
    return annotations.union(dict.fromkeys(found)) if found else Any


def _shown(value: object) -> str:
    return "nothing" if value is None else f"{type(value).__name__}"
