"""Everything that can be plugged into the engine, with what each must keep to. The engine knows these and no adapter.

`Journal` keeps the facts; `ArtifactStore` keeps what is too big or too rich for them; `Executor` runs bodies; `Sensor` is a source of
events; `Watcher` tells of changes in folders; `Clock`, `Random` and `Spawn` are the world's time, chance and processes; an `Instrument`
looks on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar, runtime_checkable

from eventflow.events import D_co, Event, Observation
from eventflow.facts import Fact, Record, Unit
from eventflow.projections import Row

D = TypeVar("D")
RowT = TypeVar("RowT", bound=Row)


@dataclass(frozen=True, slots=True)
class Below:
    """In `select`, a condition: the column's number is smaller than this one."""

    limit: int


@dataclass(frozen=True, slots=True)
class Above:
    """In `select`, a condition: the column's number is larger than this one."""

    limit: int


@dataclass(frozen=True, slots=True)
class Ending:
    """In `select`, a condition: the column's text ends with these characters, of which none may be `*`, `?` or `[`."""

    text: str


class JournalView(Protocol):
    """The half of a journal that answers questions: all that pages and command lines need."""

    async def select(
        self, table: type[RowT], *, order: str | None = None, descending: bool = False, limit: int | None = None, **equals: object
    ) -> list[RowT]:
        """Give the rows of a table in which every named column has the value given.

        In place of a value may stand a tuple, for any one of its values, or a condition: `Below`, `Above` or `Ending`.

        Reads what is committed, and everything that this caller has seen committed. `order` is a column; without it, by primary key.
        """
        ...

    async def facts(self, seqs: Collection[int]) -> dict[int, Fact]:
        """Give the facts at these places; a place that isn't there is left out."""
        ...

    async def records(self, after: int, *, limit: int, run: str | None = None) -> list[Record]:
        """Give up to `limit` records behind `after`, in order, of one run or of all."""
        ...

    @property
    def seq(self) -> int:
        """The place of the last committed fact, 0 in an empty journal."""
        ...

    async def changed(self, after: int) -> None:
        """Return once there is a fact behind `after`. It may return early: look, then wait again."""
        ...


class Journal(JournalView, Protocol):
    """The store of all facts, and of the tables derived from them.

    Facts have one order, `seq`, without gaps, that is allocated inside the commit; units are committed in the order in which they were
    given, whether by `commit` or `enqueue`. The tables change in the same transaction, by `projections.project` alone. Once a journal
    has failed (`JournalError`), every call raises that error: nothing is acknowledged any more.
    """

    async def commit(self, unit: Unit) -> int:
        """Commit a unit, and return once it would survive a power failure. Gives the `seq` of its last fact.

        Raises `Refused`, with nothing of the unit kept, where a row is not in the state that one of its changes expects. Raises
        `JournalError` where the journal can't be trusted any more. The caller's cancellation never tears a unit: it is then committed
        without its caller being told.
        """
        ...

    def enqueue(self, unit: Unit) -> None:
        """Have a unit committed with or before the next `commit`, without waiting. A refusal of it is a `JournalError`."""
        ...

    @property
    def full(self) -> bool:
        """Whether the disk is full, so that nothing new should be begun. What is under way waits for space."""
        ...


class ArtifactStore(Protocol):
    """Bytes by their digest. What was put stays until it is deleted, over any crash."""

    async def put(self, data: bytes) -> str:
        """Keep some bytes durably and give their digest (`codec.digest`). Putting the same bytes again changes nothing."""
        ...

    async def get(self, digest: str) -> bytes:
        """Give the bytes of a digest. Raises `NotFound`, or `JournalDamaged` where they no longer match it."""
        ...


class Slot(Protocol):
    """Room for one body to run in."""

    async def run(self, fn: Callable[..., object], args: Sequence[object], kwargs: Mapping[str, object]) -> object:
        """Run a body, to be called once. Cancelled, it returns at once; where the body can't be stopped, `ended` tells when it did."""
        ...

    @property
    def running(self) -> bool:
        """Whether the body is still running."""
        ...

    async def ended(self) -> None:
        """Return once the body no longer runs."""
        ...

    def when_ended(self, callback: Callable[[], None]) -> None:
        """Have a function called on the loop once the body, which is running, no longer does."""
        ...


class Executor(Protocol):
    """Where bodies run."""

    def slot(self, fn: Callable[..., object]) -> AbstractAsyncContextManager[Slot]:
        """Wait for room for a body, and keep it until the block is left and the body no longer runs."""
        ...


class Hint(Protocol):
    """News from one folder."""

    async def wait(self) -> None:
        """Return once something may have changed since the last call returned. It may return for nothing; it may miss a change."""
        ...


class Watcher(Protocol):
    """Tells of changes in folders, soon but without promise: whoever asks must look for himself from time to time."""

    def watch(self, folder: Path, *, recursive: bool) -> AbstractContextManager[Hint]:
        """Watch a folder, which need not exist yet."""
        ...


class Timer(Protocol):
    """A call that is still to come."""

    def cancel(self) -> None:
        """Let it not come."""
        ...


class Clock(Protocol):
    """Time. Everything that waits or measures does it here, so that a test can hold the clock in its hand."""

    def now(self) -> int:
        """Give the wall-clock instant, microseconds UTC. It may jump."""
        ...

    def monotonic(self) -> float:
        """Give seconds on a clock that never jumps, from no particular beginning."""
        ...

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        """Have a function called on the loop after `delay` seconds of the monotonic clock."""
        ...

    async def sleep(self, delay: float) -> None:
        """Return after `delay` seconds of the monotonic clock."""
        ...


class Random(Protocol):
    """Chance."""

    def bits(self, count: int) -> int:
        """Give so many random bits."""
        ...

    def fraction(self) -> float:
        """Give a random number in [0, 1)."""
        ...


class Process(Protocol):
    """A child process."""

    @property
    def pid(self) -> int:
        """Its number."""
        ...

    async def wait(self) -> int:
        """Return its exit code once it has ended."""
        ...

    def send_signal(self, number: int) -> None:
        """Send it a signal. Nothing happens where it has ended."""
        ...


class Spawn(Protocol):
    """Starts processes."""

    async def __call__(self, argv: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Process:
        """Start a program with our own standard streams. Raises `OSError` where it can't be started."""
        ...


class Instrument:
    """Looks on: logging, metrics and fail-points are instruments. Its methods are called on the loop and must return at once."""

    def reached(self, point: str) -> None:
        """The code came to a named point, such as `journal.commit.before`."""

    def committed(self, records: Sequence[Record]) -> None:
        """These facts have just become durable."""

    def troubled(self, place: str, error: BaseException) -> None:
        """Something went wrong that is nobody's result: a sensor failed, a late result was dropped, a hint got lost."""


class Instruments(Instrument):
    """Several instruments as one."""

    def __init__(self, instruments: Sequence[Instrument] = ()) -> None:
        self._instruments = tuple(instruments)

    def reached(self, point: str) -> None:
        for instrument in self._instruments:
            instrument.reached(point)

    def committed(self, records: Sequence[Record]) -> None:
        for instrument in self._instruments:
            instrument.committed(records)

    def troubled(self, place: str, error: BaseException) -> None:
        for instrument in self._instruments:
            instrument.troubled(place, error)


class Seen(Protocol):
    """The identities that the journal has of one source."""

    async def all(self) -> Mapping[str, int | None]:
        """Give every identity taken, with the instant at which it was found gone from the source, or None."""
        ...

    async def of(self, ids: Collection[str]) -> frozenset[str]:
        """Tell which of these identities are taken."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What a sensor may use of the outside. `source` is its own name, which its events carry.

    Its relative paths start from `root`: the current folder is whatever a task makes it. `journal` tells what else has happened here.
    """

    source: str
    clock: Clock
    random: Random
    watcher: Watcher
    instrument: Instrument
    journal: JournalView
    root: Path

    def event(self, id: str, data: D, *, type: str | None = None, subject: str | None = None, time: int | None = None) -> Event[D]:  # noqa: A002 - the field's names
        """Make an event of this sensor. Without a `type` it is the sensor's name, without a `time` (microseconds UTC) it is now."""
        when = self.clock.now() if time is None else time
        return Event(id=id, source=self.source, type=type or self.source, data=data, time=when, subject=subject)


class Sensor(Protocol[D_co]):
    """A source of events with a durable cursor.

    Nothing outside the journal remembers what a sensor has seen: it is told its cursor and its seen identities at each start, and must
    find from these everything that came meanwhile.
    """

    @property
    def name(self) -> str:
        """What its events carry as `source`, the name by which its cursor is kept: `ids.is_name` must hold."""
        ...

    @property
    def interval(self) -> float | None:
        """The longest time, in seconds, between two observations of a healthy sensor, or None. A sensor that misses it is restarted."""
        ...

    def observe(self, cursor: object, seen: Seen, world: World, /) -> AsyncIterator[Observation[D_co]]:
        """Yield observations for ever. When the iterator is asked for the next one, the last has been committed.

        `cursor` is that of the last committed observation, None at the first start ever. What it raises makes the sensor `degraded`: it
        is started again, later each time. Wherever it waits it may be closed, and started anew: a person who pokes it does no more.
        """
        ...


@runtime_checkable
class Explaining(Protocol):
    """What a sensor may offer beside: to say where it stands."""

    def in_words(self, cursor: object, /) -> str:
        """Say what a cursor of this sensor means, for people, in one line: `up to id 4711`, `the tick of 2026-11-20 02:00`."""
        ...


@runtime_checkable
class Checkable(Protocol):
    """What a sensor may offer beside: to try whether it could look, without looking."""

    async def check(self, world: World, /) -> None:
        """Return where all that the sensor needs is there and fits: the folder, the address, the table. Changes nothing, takes no event.

        Raises an `EventflowError` that says what is wrong and what to do.
        """
        ...


@dataclass(frozen=True, slots=True)
class References:
    """Names that a sensor was given: of pipelines whose runs it looks at, and of sources whose events it looks at."""

    pipelines: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()


@runtime_checkable
class Referring(Protocol):
    """What a sensor may offer beside: to tell which names it was given, so that one written wrong is found when the project is loaded."""

    @property
    def refers_to(self) -> References:
        """The names, which need not be those of anything that is there."""
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """One adapter for each port: what a composition root plugs in, and the engine works with."""

    journal: Journal
    artifacts: ArtifactStore
    executor: Executor
    clock: Clock
    random: Random
    instrument: Instrument
