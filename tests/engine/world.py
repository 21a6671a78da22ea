"""The world of an engine in tests: a journal that outlives engines, a clock held in the hand, chance that repeats."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import anyio
import anyio.lowlevel

from eventflow.artifacts.memory import MemoryArtifacts
from eventflow.definition.pipelines import Pipeline
from eventflow.engine.engine import Engine
from eventflow.engine.values import Values
from eventflow.errors import JournalError, Refused
from eventflow.executors.local import LocalExecutor
from eventflow.facts import Fact, Record, Unit, run_of
from eventflow.journal.memory import MemoryJournal
from eventflow.ports import ArtifactStore, Executor, Instrument, Instruments, Journal, Ports
from eventflow.projections import AttemptRow, NodeRow, RunRow
from eventflow.testing import SeededRandom, VirtualClock

T = TypeVar("T")
KEY = b"k" * 32


class World:
    """All that an engine works with. Engines made one after the other share it, as processes share a disk."""

    def __init__(
        self,
        *,
        instrument: Instrument | None = None,
        journal: Journal | None = None,
        artifacts: ArtifactStore | None = None,
        executor: Executor | None = None,
        clock: VirtualClock | None = None,
        key: bytes = KEY,
        resources: Mapping[str, float] | None = None,
    ) -> None:
        self.clock = clock or VirtualClock()
        self.random = SeededRandom()
        self.journal: Any = journal or MemoryJournal([instrument] if instrument else [])
        self.artifacts: Any = artifacts or MemoryArtifacts()
        self.executor = executor
        self.instrument = instrument or Instruments()
        self.key = key
        self.resources = resources

    def make(self, *pipelines: Pipeline[..., Any]) -> Engine:
        """Make an engine, which isn't running yet."""
        ports = Ports(
            journal=self.journal,
            artifacts=self.artifacts,
            executor=self.executor or LocalExecutor(),
            clock=self.clock,
            random=self.random,
            instrument=self.instrument,
        )
        return Engine(ports, Values(self.artifacts, self.key), pipelines, resources=self.resources)

    @asynccontextmanager
    async def engine(self, *pipelines: Pipeline[..., Any], drain: float = 0.0) -> AsyncGenerator[Engine]:
        """Run an engine, and stop it in an orderly way when the block is left."""
        engine = self.make(*pipelines)
        async with engine.running(drain=drain):
            yield engine

    @asynccontextmanager
    async def doomed(self, *pipelines: Pipeline[..., Any]) -> AsyncGenerator[Engine]:
        """Run an engine whose process dies when the block is left: nothing that it does from then on reaches the journal."""
        kept, self.journal = self.journal, Mortal(self.journal)
        try:
            async with self.engine(*pipelines) as engine:
                yield engine
                self.journal.die()
        finally:
            self.journal = kept

    # What the journal says

    async def records(self) -> list[Record]:
        return await self.journal.records(0, limit=1_000_000)

    async def facts(self, *kinds: type[Fact]) -> list[Any]:
        """Give all facts of these kinds."""
        return [record.fact for record in await self.records() if not kinds or isinstance(record.fact, kinds)]

    async def run(self, run: str) -> RunRow:
        return (await self.journal.select(RunRow, run=run))[0]

    async def nodes(self, run: str) -> dict[str, str]:
        """Give the state of each node that has one."""
        return {row.node: row.state for row in await self.journal.select(NodeRow, run=run)}

    async def node(self, run: str, name: str) -> NodeRow:
        return (await self.journal.select(NodeRow, run=run, node=name))[0]

    async def attempts(self, run: str, node: str) -> list[tuple[str, str | None]]:
        """Give the state and the reason of each attempt that has ended."""
        rows = await self.journal.select(AttemptRow, run=run, node=node, order="attempt")
        return [(row.state, row.reason) for row in rows]

    async def until(self, *kinds: type[Fact], count: int = 1) -> None:
        """Return once the journal holds so many facts of these kinds."""
        await until_true(lambda: self.holds(*kinds, count=count), self.journal)

    async def holds(self, *kinds: type[Fact], count: int = 1) -> bool:
        return len(await self.facts(*kinds)) >= count


async def until_true(condition: Callable[[], Awaitable[bool]], journal: Journal) -> None:
    seq = journal.seq
    while not await condition():
        await journal.changed(seq)
        seq = journal.seq


async def turns(count: int = 50) -> None:
    """Give everything that can go on without threads or time the chance to do so."""
    for _ in range(count):
        await anyio.lowlevel.checkpoint()


class Mortal:
    """A journal as a process sees it: once that has died, nothing more is kept, and it never hears so."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._alive = True

    def die(self) -> None:
        self._alive = False

    async def commit(self, unit: Unit) -> int:
        if not self._alive:
            return self.seq
        return await self._journal.commit(unit)

    def enqueue(self, unit: Unit) -> None:
        if self._alive:
            self._journal.enqueue(unit)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)


class Hurdle:
    """A journal, or an artifact store, that stops before a call until it is let through."""

    def __init__(self, inner: Any, method: str, which: Callable[[Any], bool] = lambda _: True) -> None:
        self._inner = inner
        self._method = method
        self._which = which
        self.reached = anyio.Event()
        self.open = anyio.Event()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)
        if name != self._method:
            return method

        async def stopped(*args: Any, **kwargs: Any) -> Any:
            if self._which(args[0]):
                self.reached.set()
                await self.open.wait()
            return await method(*args, **kwargs)

        return stopped


class Late(MemoryJournal):
    """A journal that commits what it is given some turns later, in that order, and tells late what it has read, as one does on a disk."""

    def __init__(self) -> None:
        super().__init__()
        self._given: list[tuple[Unit, asyncio.Future[int] | None]] = []

    async def commit(self, unit: Unit) -> int:
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._take(unit, done)
        return await done

    def enqueue(self, unit: Unit) -> None:
        self._progress.check()
        self._take(unit, None)

    async def select(self, table: Any, **conditions: Any) -> Any:
        found = await super().select(table, **conditions)
        await turns(2)
        return found

    async def facts(self, seqs: Collection[int]) -> dict[int, Fact]:
        found = await super().facts(seqs)
        await turns(2)
        return found

    def _take(self, unit: Unit, done: asyncio.Future[int] | None) -> None:
        self._given.append((unit, done))
        if len(self._given) == 1:
            asyncio.get_running_loop().call_soon(self._come_nearer, 4)

    def _come_nearer(self, turns_left: int) -> None:
        if turns_left:
            asyncio.get_running_loop().call_soon(self._come_nearer, turns_left - 1)
            return
        given, self._given = self._given, []
        for unit, done in given:
            try:
                seq = self._commit(unit)
            except Refused as refused:
                if done is None:
                    self._progress.fail(JournalError(f"a unit that can't be refused was refused: {refused}"))
                elif not done.done():
                    done.set_exception(refused)
            else:
                if done is not None and not done.done():
                    done.set_result(seq)


def holding(*kinds: type[Fact]) -> Callable[[Any], bool]:
    """Choose the units that hold a fact of these kinds."""
    return lambda unit: any(isinstance(fact, kinds) for fact in unit.facts)


class Journaled(Instrument):
    """Remembers the names of facts, and whatever a test notes, in the order in which they came."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.troubles: list[tuple[str, BaseException]] = []

    def note(self, what: str) -> None:
        self.seen.append(what)

    def committed(self, records: Sequence[Record]) -> None:
        self.seen += [named(record.fact) for record in records]

    def troubled(self, place: str, error: BaseException) -> None:
        self.troubles.append((place, error))


def named(fact: Fact) -> str:
    """Give a fact as its name, with the node's where it has one."""
    node = getattr(fact, "node", None)
    return f"{type(fact).__name__} {node}" if node else type(fact).__name__


def of_run(records: Sequence[Record], run: str) -> list[Fact]:
    return [record.fact for record in records if run_of(record.fact) == run]


class Halt:
    """A place at which a body in a thread halts: the test learns that it was reached, and lets it go on."""

    def __init__(self) -> None:
        self.reached = anyio.Event()
        self._loop = asyncio.get_running_loop()
        self._go = threading.Event()

    def here(self) -> None:
        self._loop.call_soon_threadsafe(self.reached.set)
        assert self._go.wait(30), "the test never let the thread go on"

    def go(self) -> None:
        self._go.set()
