"""Judge how the served model does: its live accuracy beside the one it was tested with, as a report for whoever has to act.

live -> judged -> report
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from eventflow import pipeline, task
from pipelines.registry import Registry

ROOT = Path(__file__).parents[1]
MODELS = ROOT / "data" / "models"
REPORTS = ROOT / "data" / "serving"

TOLERATED = 0.05
"""How much worse than tested a model may be in use: real digits are worse written than collected ones."""


class BadMetrics(ValueError):
    """Metrics that say nothing about a model of ours."""


class Live(msgspec.Struct, frozen=True):
    """What the server of a model tells of it: which version answers, and the share of its answers that people confirmed, 0 to 1."""

    version: str
    accuracy: float


class Card(msgspec.Struct, frozen=True):
    """What the registry keeps of a model: the share of held-out digits that it told right."""

    accuracy: float


@dataclass(frozen=True)
class Judgement:
    """A model in use beside itself when it was tested. `drifted`: it does so much worse that somebody should look."""

    version: str
    live: float
    tested: float
    drifted: bool


@task
def live(after: object) -> Live:
    """Take the metrics as the server gave them; nothing about them is believed yet."""
    try:
        metrics = msgspec.convert(after, Live)
    except msgspec.ValidationError as error:
        raise BadMetrics(f"these are no metrics of a model: {error}") from None
    if not 0 <= metrics.accuracy <= 1:
        raise BadMetrics(f"an accuracy of {metrics.accuracy} is no share")
    return metrics


@task
def judged(metrics: Live) -> Judgement:
    """Compare with the model's card. Refuses a version that isn't in the registry."""
    try:
        card = msgspec.json.decode(Registry(MODELS).read(metrics.version, "card.json"), type=Card)
    except ValueError as error:
        raise BadMetrics(f"no model of ours answers there: {error}") from None
    drifted = metrics.accuracy < card.accuracy - TOLERATED
    return Judgement(metrics.version, metrics.accuracy, card.accuracy, drifted)


@task
def report(judgement: Judgement) -> Path:
    """Write the judgement where people look. Doing it twice is doing it once."""
    REPORTS.mkdir(parents=True, exist_ok=True)
    path = REPORTS / f"{judgement.version}.json"
    aside = path.with_suffix(".aside")
    aside.write_bytes(msgspec.json.format(msgspec.json.encode(judgement)) + b"\n")
    return aside.replace(path)


@pipeline(max_active_runs=1, tags=["ml"])
def judge(after: object) -> Path:
    """From what a model's server says to a report. `after` is what the metrics are now."""
    return report(judged(live(after)))
