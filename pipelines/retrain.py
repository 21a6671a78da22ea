"""Retrain the model of handwritten digits on a new batch, and deploy it if it beats the champion.

    load -> validate -> split -> train -> evaluate -> deploy_or_keep

A model is trained on what its champion was trained on, and the batch. A batch that makes the model worse is not taken.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
import structlog
from structlog.typing import FilteringBoundLogger

from eventflow import Retry, current, pipeline, task
from pipelines import batches
from pipelines.batches import BadBatch, Digits, Table
from pipelines.learner import Model, Weights
from pipelines.registry import Registry

MODELS = Path(__file__).parents[1] / "data" / "models"

log: FilteringBoundLogger = structlog.get_logger()


@dataclass(frozen=True)
class Split:
    """What a new model learns from and what it is tested on. `champion` is the version whose data the batch was joined to."""

    train: Digits
    test: Digits
    champion: str | None


@dataclass(frozen=True)
class Scores:
    """Shares of the same held-out digits told right, 0 to 1: by the new model, and by the champion if there is one."""

    model: float
    champion: float | None


@dataclass(frozen=True)
class Verdict:
    """How a retraining ended. `version` is the champion from now on."""

    outcome: Literal["deployed", "kept"]
    version: str
    scores: Scores


@task(retry=Retry(attempts=3, delay="1s", backoff=2, on=(OSError,)), timeout="1m")
def load(path: Path) -> Table:
    """Read the batch as it stands."""
    return batches.read(path)


@task
def validate(table: Table) -> Digits:
    """Refuse a batch with missing columns, bad labels, NaN or no rows; the message says which rows."""
    return batches.check(table)


@task
def split(batch: Digits) -> Split:
    """Join the batch to the champion's data, and hold a quarter out."""
    registry = Registry(MODELS)
    champion = registry.champion()
    known = Digits([], []) if champion is None else _data(registry, champion)
    train, test = known.joined(batch).divided()
    if not train or not test:
        raise BadBatch(f"{len(batch)} rows are too few to train and to test with; a first batch needs about twenty")
    return Split(train, test, champion)


@task(timeout="30m")
def train(data: Split, epochs: int, pace: float) -> Model:
    """Train a new model. What it has learned is saved after each epoch; an interrupted training goes on from there.

    `pace` makes each epoch last that many seconds longer, for people who watch.
    """
    me = current()
    model = Model.resumed(me.checkpoint.load())
    for epoch in me.resume(range(epochs)):
        model.learn(data.train, seed=epoch)
        me.checkpoint.save(msgspec.to_builtins(model.weights))
        log.info("epoch done", epoch=epoch + 1, of=epochs, accuracy=round(model.accuracy(data.train), 4))
        time.sleep(pace)
    return model


@task
def evaluate(model: Model, data: Split) -> Scores:
    """Test the new model and the champion on the same held-out digits."""
    scores = Scores(model.accuracy(data.test), None if data.champion is None else _champion(data.champion).accuracy(data.test))
    log.info("tested", digits=len(data.test), model=scores.model, champion=scores.champion)
    return scores


@task
def deploy_or_keep(model: Model, data: Split, scores: Scores) -> Verdict:
    """Make the model the champion if it is better than the one it was compared with. Doing it twice is doing it once."""
    if data.champion is not None and scores.champion is not None and scores.model <= scores.champion:
        return Verdict("kept", data.champion, scores)
    registry = Registry(MODELS)
    version = registry.add(
        {
            "model.json": msgspec.json.encode(model.weights),
            "card.json": msgspec.json.encode({"accuracy": scores.model, "better_than": data.champion, "trained_on": len(data.train)}),
            "data.csv": batches.written(data.train.joined(data.test)),
        }
    )
    registry.promote(version, over=data.champion)
    return Verdict("deployed", version, scores)


@pipeline(max_active_runs=1, tags=["ml"])
def retrain(path: Path, epochs: int = 20, pace: float = 0.0) -> Verdict:
    """From a CSV batch to a deployed or refused model."""
    batch = validate(load(path))
    data = split(batch)
    model = train(data, epochs, pace)
    scores = evaluate(model, data)
    return deploy_or_keep(model, data, scores)


def _champion(version: str) -> Model:
    return Model(msgspec.json.decode(Registry(MODELS).read(version, "model.json"), type=Weights))


def _data(registry: Registry, version: str) -> Digits:
    return batches.check(batches.parse(registry.read(version, "data.csv"), f"the data of {version}"))
