"""Pipelines with one task of each kind, in which every body writes into a ledger that it begins and how it ends."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, cast

from eventflow import Retry, approval, current, each, one_of, otherwise, pipeline, run_pipeline, task, when
from eventflow.testing import Ledger

BIG = 40_000  # bytes: more than a fact carries itself, so that it becomes an artifact
STEPS = 3

_ledger = Ledger(os.environ["LEDGER"]) if "LEDGER" in os.environ else None
"""Absent where a test imports this module only to learn its definitions."""


class Told:
    """What a body returns, to be written before it does."""

    result: object = None


@contextmanager
def told() -> Generator[Told]:
    """Write that a body began, and how it ended."""
    assert _ledger is not None
    here, told = current(), Told()
    _ledger.body_started(here.run, here.node, here.attempt)
    try:
        yield told
    except BaseException:
        _ledger.body_raised(here.run, here.node, here.attempt)
        raise
    _ledger.body_ended(here.run, here.node, here.attempt, result=told.result)


@task
async def read(path: Path) -> str:
    """A coroutine, with a big result."""
    with told() as body:
        body.result = path.read_text() * BIG
        return body.result


@task
def weigh(text: str, factor: int) -> int:
    """A thread."""
    with told() as body:
        body.result = len(text) * factor
        return body.result


@task(retry=Retry(attempts=2, delay="20ms"))
def stumble(text: str) -> int:
    """A thread that fails at its first attempt."""
    with told() as body:
        if current().attempt == 1:
            raise OSError("the first attempt fails")
        body.result = len(text)
        return body.result


@task
async def climb(text: str) -> int:
    """A coroutine that saves how far it got."""
    with told() as body:
        here = current()
        total = cast("int", here.checkpoint.load(0))
        for step in here.resume(range(STEPS)):
            total += len(text) + step
            here.checkpoint.save(total)
            await asyncio.sleep(0.003)
        body.result = total
        return total


@task(at_most_once=True)
async def stamp(text: str) -> str:
    """Whatever happens, this is begun once."""
    with told() as body:
        body.result = text[:10]
        return body.result


@task
async def report(weights: list[int], tries: int, height: int, stamped: str) -> dict[str, int]:
    """Waits for all the others."""
    with told() as body:
        body.result = {"weight": sum(weights), "tries": tries, "height": height, "stamped": len(stamped)}
        return body.result


@pipeline(max_active_runs=3)
def digest(path: Path) -> dict[str, int]:
    """A chain, a fan-out and a join."""
    text = read(path)
    weights = [weigh(text, 1), weigh(text, 2), weigh(text, 3)]
    return report(weights, stumble(text), climb(text), stamp(text))


@task
async def unravel(name: str) -> list[str]:
    """Makes the list that is mapped over."""
    with told() as body:
        body.result = [f"{name}-{number}" for number in range(3)]
        return body.result


@task(uses={"loom": 1})
async def spin(thread: str) -> int:
    """An item of a map, for which there is one loom."""
    with told() as body:
        body.result = len(thread)
        return body.result


@task
def judge(lengths: list[int]) -> Literal["fine", "coarse"]:
    """Decides on a branch, in a thread."""
    with told() as body:
        body.result = "fine" if lengths else "coarse"
        return cast("Literal['fine', 'coarse']", body.result)


@task
async def discard(lengths: list[int]) -> bool:
    """Is on the branch that isn't taken."""
    with told() as body:
        body.result = bool(lengths)
        return body.result


@task(fallback=7)
async def mend(name: str) -> int:
    """Fails, and has something to fall back on."""
    with told():
        raise OSError(name)


@task
async def measure(length: int) -> int:
    """Is all that the child runs."""
    with told() as body:
        body.result = length + 1
        return body.result


@task
async def finish(measured: int, sold: bool, mended: int) -> list[int]:
    """Waits for the child, the person and the fallback."""
    with told() as body:
        body.result = [measured, int(sold), mended]
        return body.result


@task
async def sweep() -> None:
    """Runs at the end, whatever happened."""
    with told():
        return


@pipeline
def measured(length: int) -> int:
    """A child run."""
    return measure(length)


@pipeline(finally_=[sweep])
def weave(name: str) -> list[int]:
    """A map with keys and a resource, a branch, a child run, an approval, a fallback, an end that always comes."""
    lengths = spin.map(thread=each(unravel(name), key=str))
    verdict = judge(lengths)
    with when(verdict, "fine"):
        sold = approval("Is it to be sold?", show=lengths)
    with otherwise():
        thrown = discard(lengths)
    return finish(run_pipeline(measured)(lengths[0]), one_of(sold, thrown), mend(name))


@task
async def hang(name: str) -> str:
    """Ends when it is cancelled, and else never."""
    with told() as body:
        await asyncio.Event().wait()
        body.result = name
        return name


@pipeline
def endless(name: str) -> str:
    """A run that somebody must cancel."""
    return hang(name)


@task(max_crashes=2)
async def murder(name: str) -> str:
    """Kills the process that it runs in."""
    with told():
        os.kill(os.getpid(), signal.SIGKILL)
        return name


@task(at_most_once=True)
async def murder_once(name: str) -> str:
    """Kills the process that it runs in, as soon as it can."""
    with told():
        os.kill(os.getpid(), signal.SIGKILL)
        return name


@task
async def mourn(name: str) -> str:
    """Waits for a murderer, in vain."""
    with told() as body:
        body.result = name
        return name


@pipeline
def poisoned(name: str) -> str:
    """A run that kills the process at every try."""
    return mourn(murder(name))


@pipeline
def poisoned_once(name: str) -> str:
    """A run that kills the process once, and must not again."""
    return mourn(murder_once(name))
