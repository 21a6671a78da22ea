"""The tasks of the retraining, each on its own, and the whole from a file to a champion."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from eventflow.context import Context, Stop, running
from examples.digits import SPOILT, batch, put
from pipelines import batches, retrain
from pipelines.batches import BadBatch, Digits
from pipelines.learner import Model
from pipelines.registry import ChampionMoved, Registry
from pipelines.retrain import Scores, Split, Verdict


class Notebook:
    """A checkpoint on paper: what the engine keeps in the journal, kept in two attributes. `dies_after` positions it kills the body."""

    def __init__(self, dies_after: int | None = None) -> None:
        self.position = 0
        self.state: object = None
        self.dies_after = dies_after

    def begin(self) -> int:
        return self.position

    def load(self, default: object = None) -> object:
        return default if self.state is None else msgspec.json.decode(msgspec.json.encode(self.state))

    def save(self, state: object) -> None:
        self.state = state

    def advance(self, position: int) -> None:
        self.position = position
        if position == self.dies_after:
            raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.setattr(retrain, "MODELS", tmp_path / "models")
    return Registry(tmp_path / "models")


@pytest.fixture
def notebook() -> Iterator[Notebook]:
    notebook = Notebook()
    token = running.set(Context(run="r", pipeline="retrain", node="train", attempt=1, checkpoint=notebook, stop=Stop()))
    yield notebook
    running.reset(token)


def digits(first: int, last: int, spoil: str = "nothing") -> Digits:
    return batches.check(batches.parse(batch(first, last, spoil).encode(), "a.csv"))


def retrained(new: Digits, epochs: int = 10) -> Verdict:
    """Do by hand what the pipeline does with a valid batch."""
    data = retrain.split.fn(new)
    model = learned(data, epochs)
    return retrain.deploy_or_keep.fn(model, data, retrain.evaluate.fn(model, data))


def learned(data: Split, epochs: int = 10) -> Model:
    model = Model()
    for epoch in range(epochs):
        model.learn(data.train, seed=epoch)
    return model


def test_the_graph_is_the_one_in_the_description() -> None:
    graph = retrain.retrain.definition.graph
    assert [node.name for node in graph.nodes] == ["load", "validate", "split", "train", "evaluate", "deploy_or_keep"]


@pytest.mark.parametrize("spoil", sorted(SPOILT.keys() - {"nothing", "labels"}))
def test_a_spoilt_file_is_loaded_and_then_refused(spoil: str, tmp_path: Path) -> None:
    put(batch(0, 100, spoil), tmp_path / "spoilt.csv")
    table = retrain.load.fn(tmp_path / "spoilt.csv")
    with pytest.raises(BadBatch, match=r"spoilt\.csv"):
        retrain.validate.fn(table)


def test_a_batch_too_small_to_test_with_is_refused() -> None:
    with pytest.raises(BadBatch, match="1 rows are too few"):
        retrain.split.fn(digits(0, 1))


def test_the_first_model_is_deployed_unopposed(registry: Registry) -> None:
    verdict = retrained(digits(0, 150))
    assert verdict.outcome == "deployed"
    assert verdict.scores.champion is None
    assert registry.champion() == verdict.version == registry.versions()[0]


def test_a_better_model_takes_over_and_both_were_tested_on_the_same_digits(registry: Registry) -> None:
    first = retrained(digits(0, 150))
    second = retrained(digits(150, 500))
    assert second.outcome == "deployed"
    assert second.scores.champion is not None
    assert second.scores.model > second.scores.champion
    assert registry.versions() == [first.version, second.version]
    assert msgspec.json.decode(registry.read(second.version, "card.json"))["better_than"] == first.version


def test_a_batch_with_wrong_labels_is_not_taken(registry: Registry) -> None:
    retrained(digits(0, 150))
    champion = retrained(digits(150, 500)).version
    verdict = retrained(digits(700, 900, "labels"))
    assert verdict.outcome == "kept"
    assert registry.champion() == verdict.version == champion
    assert len(retrain.split.fn(digits(900, 910)).train) < 375


def test_the_same_batch_again_changes_nothing(registry: Registry) -> None:
    first = retrained(digits(0, 300))
    again = retrained(digits(0, 300))
    assert (again.outcome, again.version) == ("kept", first.version)
    assert len(registry.versions()) == 1


def test_deploying_again_after_a_crash_gives_the_same_version(registry: Registry) -> None:
    data = retrain.split.fn(digits(0, 300))
    model = learned(data)
    scores = retrain.evaluate.fn(model, data)
    first = retrain.deploy_or_keep.fn(model, data, scores)
    assert retrain.deploy_or_keep.fn(Model(model.weights), data, scores) == first
    assert registry.versions() == [first.version]


def test_a_model_is_not_deployed_over_a_champion_that_it_never_met(registry: Registry) -> None:
    late = retrain.split.fn(digits(0, 300))
    winner = retrained(digits(300, 600)).version
    with pytest.raises(ChampionMoved, match=winner):
        retrain.deploy_or_keep.fn(learned(late), late, Scores(0.99, None))
    assert registry.champion() == winner


def test_training_saves_after_each_epoch(notebook: Notebook) -> None:
    data = retrain.split.fn(digits(0, 150))
    model = retrain.train.fn(data, 4, 0)
    assert notebook.position == 4
    assert notebook.state == msgspec.to_builtins(model.weights)


def test_training_interrupted_goes_on_at_its_epoch_to_the_same_model(notebook: Notebook) -> None:
    data = retrain.split.fn(digits(0, 150))
    notebook.dies_after = 3
    with pytest.raises(KeyboardInterrupt):
        retrain.train.fn(data, 8, 0)
    assert notebook.position == 3
    assert retrain.train.fn(data, 8, 0).weights == learned(data, 8).weights
