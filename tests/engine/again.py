"""What tests of reruns and of changed code share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eventflow import Run, each, facts, pipeline, task
from eventflow.engine.engine import Engine
from eventflow.engine.reruns import RerunPlan
from eventflow.projections import TABLES
from eventflow.testing.evidence import Evidence
from eventflow.testing.invariants import violations
from tests.engine.world import World


class Calls:
    """Remembers which bodies were called, and has those fail that are `broken`."""

    def __init__(self, *broken: str) -> None:
        self.seen: list[str] = []
        self.broken = set(broken)

    def __call__(self, name: str) -> None:
        self.seen.append(name)
        if name in self.broken:
            raise ValueError(f"{name} is broken")

    def mend(self) -> None:
        """Have nothing fail any more, and forget what was called."""
        self.broken.clear()
        self.seen.clear()

    def taken(self) -> list[str]:
        """Give what was called since this was last asked, sorted."""
        seen = sorted(self.seen)
        self.seen.clear()
        return seen


def told(plan: RerunPlan) -> dict[str, str]:
    """Give a plan as sentences."""
    return {entry.name: f"{entry.what}: {entry.why}" for entry in plan.entries}


def whats(plan: RerunPlan, what: str) -> list[str]:
    """Name the nodes of which the same becomes."""
    return [entry.name for entry in plan.entries if entry.what == what]


async def ended(engine: Engine, call: Any) -> Run[Any]:
    """Submit a run and wait for its end, whatever that is."""
    run: Run[Any] = await engine.submit(call)
    await run.wait()
    return run


async def assert_sound(world: World) -> None:
    """Have everything that is recorded checked. Only who asked for the runs isn't known here (I3)."""
    rows = {table: await world.journal.select(table) for table in TABLES}
    broken = violations(Evidence(await world.records(), rows, [], finished=False))
    assert [one for one in broken if not one.startswith("I3:")] == []


async def taken_over(world: World, run: str) -> list[str]:
    """Name the nodes of which a run has the results from other ones."""
    return sorted(fact.node for fact in await world.facts(facts.NodeReused) if fact.run == run)


def chain(calls: Calls, middle: Callable[[int], Any] | None = None) -> Any:
    """Give a pipeline of three nodes in a row, and one beside; `middle` is other code for the second."""

    @task
    async def load(start: int) -> int:
        calls("load")
        return start

    @task
    async def double(value: int) -> int:
        calls("double")
        return value * 2

    @task
    async def report(value: int, title: str) -> str:
        calls("report")
        return f"{title} {value}"

    @task
    async def beside(start: int) -> int:
        calls("beside")
        return start

    second = double if middle is None else task(name="double")(middle)

    @pipeline
    def chained(start: int, title: str = "it is") -> str:
        beside(start)
        return report(second(load(start)), title)

    return chained


def mapped(calls: Calls, *, keyed: bool = False, **options: Any) -> Any:
    """Give a pipeline that maps over a list which a task gives."""

    @task
    async def numbers(count: int) -> list[int]:
        calls("numbers")
        return list(range(count))

    @task(**options)
    async def square(number: int) -> int:
        calls(f"square {number}")
        return number * number

    @task
    async def total(squares: list[int]) -> int:
        calls("total")
        return sum(squares)

    def key(number: int) -> str:
        calls(f"key {number}")
        return f"n{number}"

    @pipeline
    def squares(count: int) -> int:
        items = numbers(count)
        return total(square.map(each(items, key=key) if keyed else each(items)))

    return squares
