"""The learner: a linear classifier of scikit-learn, trained an epoch at a time. scikit-learn has no types, so all of it stays in here."""
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import msgspec
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import SGDClassifier

from pipelines.batches import DARKEST, Digits

CLASSES = np.arange(10)


@dataclass(frozen=True)
class Weights:
    """All that a model has learned, as plain numbers: enough to go on learning, and to judge digits."""

    slopes: list[list[float]]
    offsets: list[float]
    steps: float


class Model:
    """A model of handwritten digits. A new one knows nothing; `Model(weights)` goes on where another has stopped."""

    def __init__(self, weights: Weights | None = None) -> None:
        self._linear = SGDClassifier(loss="log_loss", alpha=1e-4, learning_rate="constant", eta0=0.02)
        if weights is not None:
            self._linear.classes_ = CLASSES
            self._linear.coef_ = np.array(weights.slopes)
            self._linear.intercept_ = np.array(weights.offsets)
            self._linear.t_ = weights.steps

    @classmethod
    def resumed(cls, state: object) -> Model:
        """Give a model as `state` describes it: what `weights` gave, having been through JSON, or None for a new one."""
        return cls(None if state is None else msgspec.convert(state, Weights))

    @property
    def weights(self) -> Weights:
        """What the model has learned so far, a copy. Raises `AttributeError` before the first epoch."""
        slopes = cast("NDArray[np.float64]", self._linear.coef_)
        offsets = cast("NDArray[np.float64]", self._linear.intercept_)
        return Weights(slopes.tolist(), offsets.tolist(), float(self._linear.t_))

    def learn(self, digits: Digits, seed: int) -> None:
        """Go once through all digits, in an order that `seed` decides."""
        self._linear.random_state = seed
        self._linear.partial_fit(_scaled(digits), np.array(digits.labels), classes=CLASSES)

    def accuracy(self, digits: Digits) -> float:
        """Give the share of digits that the model tells right, 0 to 1."""
        guesses = cast("NDArray[np.int64]", self._linear.predict(_scaled(digits)))
        return float(np.mean(guesses == np.array(digits.labels)))


def _scaled(digits: Digits) -> NDArray[np.float64]:
    return np.array(digits.pixels) / DARKEST
