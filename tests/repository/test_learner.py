"""The learner: what makes a checkpoint enough to go on from."""

from __future__ import annotations

import json
import pickle

import msgspec
import pytest

from examples.digits import batch
from pipelines import batches
from pipelines.batches import Digits
from pipelines.learner import Model


@pytest.fixture(scope="module")
def digits() -> Digits:
    return batches.check(batches.parse(batch(0, 300).encode(), "a.csv"))


def trained(model: Model, digits: Digits, epochs: range) -> Model:
    for epoch in epochs:
        model.learn(digits, seed=epoch)
    return model


def test_a_training_that_was_interrupted_ends_where_it_would_have_ended(digits: Digits) -> None:
    whole = trained(Model(), digits, range(12))
    begun = trained(Model(), digits, range(5))
    state = json.loads(json.dumps(msgspec.to_builtins(begun.weights)))
    assert trained(Model.resumed(state), digits, range(5, 12)).weights == whole.weights


def test_a_model_survives_pickling(digits: Digits) -> None:
    model = trained(Model(), digits, range(3))
    again: Model = pickle.loads(pickle.dumps(model))
    assert again.weights == model.weights
    assert again.accuracy(digits) == model.accuracy(digits)


def test_a_model_made_of_weights_judges_as_the_one_that_learned_them(digits: Digits) -> None:
    model = trained(Model(), digits, range(3))
    assert Model(model.weights).accuracy(digits) == model.accuracy(digits) > 0.8


def test_no_state_means_a_new_model(digits: Digits) -> None:
    assert trained(Model.resumed(None), digits, range(2)).weights == trained(Model(), digits, range(2)).weights


def test_a_state_that_is_none_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        Model.resumed({"slopes": "steep"})
