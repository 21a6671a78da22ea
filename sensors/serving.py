"""The served model: when the accuracy that its server reports falls below what we promise, the model is judged, once for each fall.

The server's metrics are asked for at `MODEL_METRICS`. While nothing listens there the sensor is degraded, says so, and looks again later.
"""

from __future__ import annotations

import os
from typing import cast

from eventflow import Event, HTTPSensor, Trigger
from eventflow.sensors.http import HTTPChange, Value
from pipelines.serving import judge

METRICS = os.environ.get("MODEL_METRICS", "http://127.0.0.1:8900/metrics.json")
PROMISED = 0.9

serving = HTTPSensor("serving", METRICS, every="30s", timeout="10s", change=Value("model"))


def falls(event: Event[HTTPChange]) -> bool:
    """Tell whether the accuracy has just fallen below what is promised: not whether it still lies there."""
    return _accuracy(event.data.after) < PROMISED <= _accuracy(event.data.before)


def _accuracy(model: object) -> float:
    accuracy = cast("dict[str, object]", model).get("accuracy") if isinstance(model, dict) else None
    return float(accuracy) if isinstance(accuracy, int | float) else 1.0


judge_on_fall = Trigger("judge-on-fall", on=serving, run=judge, where=falls)
