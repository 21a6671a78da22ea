"""Look after the model in use: whether it still does on its held-out digits what its card promised when it was deployed.

    examine -> keep -> judge

A disk that lies, a library that was updated, somebody's helping hand: whatever has changed the model since, the next night tells.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import msgspec
import structlog
from structlog.typing import FilteringBoundLogger

from eventflow import Retry, pipeline, task
from pipelines import batches
from pipelines.learner import Model, Weights
from pipelines.registry import Registry

DATA = Path(__file__).parents[1] / "data"
TOLERATED = 0.005

log: FilteringBoundLogger = structlog.get_logger()


class ModelChanged(RuntimeError):
    """The model in use tells fewer digits right than it did when it was deployed."""


@dataclass(frozen=True)
class Checkup:
    """How the champion did on a day: shares of its held-out digits told right, 0 to 1, as `promised` on its card and as `found` now."""

    day: date
    champion: str
    promised: float
    found: float


@task(retry=Retry(attempts=3, delay="10s", on=(OSError,)), timeout="10m")
def examine(day: date) -> Checkup | None:
    """Test the champion on the digits that it was tested on then. None where there is no champion yet."""
    registry = Registry(DATA / "models")
    champion = registry.champion()
    if champion is None:
        return None
    model = Model(msgspec.json.decode(registry.read(champion, "model.json"), type=Weights))
    card = msgspec.json.decode(registry.read(champion, "card.json"))
    known = batches.check(batches.parse(registry.read(champion, "data.csv"), f"the data of {champion}"))
    return Checkup(day, champion, card["accuracy"], model.accuracy(known.divided()[1]))


@task
def keep(checkup: Checkup | None) -> Path | None:
    """Write down how it did, in a file for each day. Doing it twice is doing it once."""
    if checkup is None:
        return None
    folder = DATA / "checkups"
    folder.mkdir(parents=True, exist_ok=True)
    aside = folder / f".{checkup.day}.json"
    aside.write_bytes(msgspec.json.encode(checkup))
    return aside.replace(folder / f"{checkup.day}.json")


@task
def judge(checkup: Checkup | None) -> str:
    """Say in a line how it did. Raises `ModelChanged`, so that the run fails and somebody looks."""
    if checkup is None:
        return "no model is in use yet"
    said = f"{checkup.champion} tells {checkup.found:.1%} right, {checkup.promised:.1%} were promised"
    if checkup.found < checkup.promised - TOLERATED:
        raise ModelChanged(said)
    log.info("checked up", champion=checkup.champion, found=checkup.found, promised=checkup.promised)
    return said


@pipeline(tags=["ml"])
def check_up(day: date) -> str:
    """From the registry to a line that says how the model in use does."""
    checkup = examine(day)
    kept = keep(checkup)
    return judge.after(kept)(checkup)
