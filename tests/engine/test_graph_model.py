"""Whole graphs at random against the model: every run ends, every node ends as the model says, with the values that it says.

And the same after a crash at any fact, without a finished body, or anything of the user's that was asked once, being called again.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from typing import Any

from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from eventflow import facts
from eventflow.codec import canonical
from eventflow.definition.graph import path_of
from eventflow.engine.engine import Engine
from eventflow.errors import InvalidRequest, NotFound
from eventflow.facts import Fact, Unit
from eventflow.journal.memory import MemoryJournal
from tests.engine.graph_model import CANCELLED, PREDICATE, RULES, Choice, Group, Model, Number, Program, Statement, Step
from tests.engine.plays import ASKED, Play
from tests.engine.programs import BODIES, programs
from tests.engine.world import World, turns

SOAK = int(os.environ.get("EVENTFLOW_SOAK", "1"))
ENOUGH = 60
"""So many times a run gets time, and what hangs in it is cancelled: by then every run must have ended."""

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


class Recording(MemoryJournal):
    """A journal that remembers its units as they were given, and tells late what it has done."""

    def __init__(self, lag: int = 0) -> None:
        super().__init__()
        self.units: list[Unit] = []
        self._lag = lag

    async def commit(self, unit: Unit) -> int:
        seq = self._commit(unit)
        await turns(self._lag)
        return seq

    def _commit(self, unit: Unit) -> int:
        seq = super()._commit(unit)
        self.units.append(unit)
        return seq


async def brought_to_its_end(world: World, engine: Engine, play: Play, run: str) -> str:
    """Let time pass, and cancel what hangs, until a run has ended. Give its state."""
    for _ in range(ENOUGH):
        if (row := await world.run(run)).ended_at is not None:
            return row.state
        await cancel_what_hangs(engine, play, run)
        await world.clock.advance(7)
    raise AssertionError(f"the run hangs: {await world.nodes(run)}")


async def cancel_what_hangs(engine: Engine, play: Play, run: str) -> None:
    while play.stuck:
        try:
            await engine.cancel(run, play.stuck.pop())
        except (NotFound, InvalidRequest):  # the whole run was cancelled in the meantime
            continue


async def played(play: Play, world: World, cancel_after: int | None = None) -> tuple[str, str]:
    """Run a play from its beginning. Give the run, and the state that it came to."""
    async with world.engine(play.pipeline) as engine:
        run = await engine.submit(play.pipeline.bind())
        if cancel_after is not None:
            await turns(cancel_after)
            await run.cancel()
        return run.id, await brought_to_its_end(world, engine, play, run.id)


async def continued(play: Play, units: list[Unit], lag: int) -> tuple[World, str]:
    """Let a new process find the units of a play's beginning, and come to the end. Give its world and the state of the run."""
    world = World(journal=Recording(lag), clock=play.clock)
    for unit in units:
        world.journal._commit(unit)
    world.random.bits(1 + len(units))  # ids of its own
    play.stuck.clear()
    play.called.clear()
    ASKED.clear()
    async with world.engine(play.pipeline) as engine:
        return world, await brought_to_its_end(world, engine, play, _run_in(units))


def _run_in(units: list[Unit]) -> str:
    return next(fact.run for unit in units for fact in unit.facts if isinstance(fact, facts.RunSubmitted))


# What must be so


async def assert_as_the_model(play: Play, world: World, run: str, state: str) -> Model:
    model = Model(play.branches)
    assert state == model.run(play.program)
    assert await world.nodes(run) == {name: end.state for name, end in model.ends.items()}
    given = {fact.node: fact.result for fact in await world.facts(facts.AttemptSucceeded, facts.NodeFellBack)}
    numbers = {name: bytes(result.json) for name, result in given.items() if bytes(result.json) != b"null"}
    assert numbers == {name: canonical(_as_data(model.ends[name].value)) for name in numbers}
    if state == "succeeded":
        wanted = [_plain(model.ends[name]) for name in names_of(play)]
        (ended,) = await world.facts(facts.RunSucceeded)
        assert bytes(ended.result.json) == canonical(wanted)
    return model


async def assert_as_the_model_of_a_cancel(play: Play, world: World, run: str, state: str) -> None:
    assert state == CANCELLED
    model = Model(play.branches, await world.nodes(run))
    model.run(play.program)
    assert model.wrong == []


def questions(play: Play, model: Model, happened: Iterable[Fact]) -> Counter[str]:
    """Give what was asked of the user's values and functions where each of these facts stands on having asked once."""
    steps, truthy = described(play)
    found: Counter[str] = Counter()
    for fact in happened:
        match fact:
            case facts.BranchDecided(node=node) if path_of(node) in truthy:
                found["bool"] += 1
            case facts.MapExpanded(node=node) | facts.NodeFailed(node=node, reason="items"):
                found.update(model.asked[node])
            case facts.NodeQueued() | facts.NodeFailed(reason="rule"):
                found["rule"] += 1
            case facts.NodeSkipped(node=node, by=by) if by == node and _last(node) in steps and steps[_last(node)].rule == PREDICATE:
                found["rule"] += 1
            case _:
                pass
    return +found


def described(play: Play) -> tuple[dict[str, Step], set[str]]:
    """Give a play's steps by name, and the paths of the branches that ask whether a value is truthy."""
    steps: dict[str, Step] = {}
    truthy: set[str] = set()
    for path, statement in _walk(play.program.body, ""):
        if isinstance(statement, Step):
            steps[statement.name] = statement
        elif isinstance(statement, Choice) and not statement.cases[0].matches and statement.value.kind != "parameter":
            truthy.add(f"{path}{play.branches[statement.cases[0].name]}")
    return steps, truthy


def _walk(statements: Iterable[Statement], path: str, group: str = "") -> Iterable[tuple[str, Statement]]:
    for statement in statements:
        yield path, statement
        match statement:
            case Step(each=Program(body=body), name=name):
                yield from _walk(body, f"{path}{group}{name}[].")
            case Choice(cases=cases, otherwise=last):
                for case in (*cases, *([last] if last else [])):
                    yield from _walk(case.body, path, group)
            case Group(name=name, body=body):
                yield from _walk(body, path, f"{group}{name}.")
            case _:
                pass


def names_of(play: Play) -> list[str]:
    """Give the names of the nodes whose values the whole run gives, in order."""
    return list(_named(play, play.program.body, ""))


def _named(play: Play, statements: Iterable[Statement], group: str) -> Iterable[str]:
    for statement in statements:
        match statement:
            case Step(name=name, is_teardown=False):
                yield f"{group}{name}"
            case Group(name=name, body=body):
                yield from _named(play, body, f"{group}{name}.")
            case Choice(cases=cases, otherwise=last):
                for case in (*cases, *([last] if last else [])):
                    yield from _named(play, case.body, group)
                    yield play.branches[case.name]
            case _:
                pass


def _plain(end: Any) -> object:
    return _as_data(end.value) if end.has_value else None


def _as_data(value: object) -> object:
    match value:
        case Number(number=number):
            return {"number": number}
        case list():
            return [_as_data(one) for one in value]
        case _:
            return value


def _last(node: str) -> str:
    return path_of(node).replace("[]", "").rpartition(".")[2]


# Proofs

ANSWERS = (facts.BranchDecided, facts.MapExpanded, facts.NodeQueued, facts.NodeSkipped)
ANYTHING = (object,)
"""Behind which facts the process dies."""


@settings(PATIENT, max_examples=100 * SOAK)
@given(program=programs(), lag=st.sampled_from([0, 0, 1, 3]))
async def test_every_node_ends_as_the_model_says(program: Program, lag: int) -> None:
    world = World(journal=Recording(lag))
    play = Play(program, world.clock)
    ASKED.clear()
    run, state = await played(play, world)
    model = await assert_as_the_model(play, world, run, state)
    assert questions(play, model, await world.facts()) == +ASKED


@settings(PATIENT, max_examples=60 * SOAK)
@given(program=programs(), lag=st.sampled_from([0, 1, 3]), moment=st.integers(0, 150))
async def test_cancelled_at_any_moment_a_run_ends_and_is_closed_as_the_model_says(program: Program, lag: int, moment: int) -> None:
    world = World(journal=Recording(lag))
    play = Play(program, world.clock)
    run, state = await played(play, world, cancel_after=moment)
    if state == CANCELLED:
        await assert_as_the_model_of_a_cancel(play, world, run, state)
    else:
        await assert_as_the_model(play, world, run, state)


@settings(PATIENT, max_examples=60 * SOAK)
@given(program=programs(), share=st.floats(0, 1), kinds=st.sampled_from([ANYTHING, ANSWERS]), lag=st.sampled_from([0, 2]))
async def test_after_a_crash_at_any_fact_it_ends_the_same_and_nothing_is_asked_or_done_twice(
    program: Program, share: float, kinds: tuple[type[Any], ...], lag: int
) -> None:
    first = World(journal=Recording())
    play = Play(program, first.clock)
    await played(play, first)
    units = first.journal.units
    begun = 1 + next(number for number, unit in enumerate(units) if isinstance(unit.facts[-1], facts.RunSubmitted))
    cuts = [number for number in range(begun, len(units) + 1) if isinstance(units[number - 1].facts[-1], kinds)] or [begun]
    prefix = units[: cuts[round(share * (len(cuts) - 1))]]
    note(f"{len(prefix)} of {len(units)} units: {[type(fact).__name__ for unit in units for fact in unit.facts]}")
    before = sum(len(unit.facts) for unit in prefix)
    world, state = await continued(play, prefix, lag)
    model = await assert_as_the_model(play, world, _run_in(units), state)
    happened = await world.facts()
    assert questions(play, model, happened[before:]) == +ASKED
    finished = {
        fact.node for fact in happened[:before] if isinstance(fact, facts.AttemptSucceeded | facts.AttemptSkipped | facts.NodeFailed)
    }
    assert not finished & set(play.called)


@settings(PATIENT, max_examples=50 * SOAK)
@given(program=programs(), share=st.floats(0, 1), moment=st.integers(0, 100))
async def test_a_cancelled_run_is_closed_as_the_model_says_after_a_crash_at_any_fact(program: Program, share: float, moment: int) -> None:
    first = World(journal=Recording())
    play = Play(program, first.clock)
    run, _ = await played(play, first, cancel_after=moment)
    units = first.journal.units
    asked = next((number for number, unit in enumerate(units, 1) if isinstance(unit.facts[0], facts.CancelRequested)), None)
    if asked is None:
        return
    world, state = await continued(play, units[: asked + round(share * (len(units) - asked))], 0)
    await assert_as_the_model_of_a_cancel(play, world, run, state)


def test_programs_have_everything_in_them() -> None:
    found: set[str] = set()

    @settings(PATIENT, max_examples=300, database=None, derandomize=True)
    @given(program=programs())
    def collect(program: Program) -> None:
        for _, statement in _walk(program.body, ""):
            found.add(type(statement).__name__)
            if isinstance(statement, Step):
                found.update(name for name in ("each", "over", "passes", "hooks", "falls_back", "is_teardown") if getattr(statement, name))
                found.update({statement.rule, *statement.does, *(f"takes {take.kind}" for take in statement.takes)})
                found.update("across" if over.is_own else "in step" for over in statement.over[1:])

    collect()
    assert found >= {
        "Choice",
        "Group",
        "each",
        "over",
        "across",
        "in step",
        "passes",
        "is_teardown",
        "hooks",
        "falls_back",
        *RULES,
        *BODIES,
    }
    assert found >= {f"takes {kind}" for kind in ("plain", "maybe", "one_of", "one_of_or", "maybe_one_of", "parameter")}
