"""What the demo says of the facts that it hears."""

from __future__ import annotations

import json

import msgspec
import pytest
from rich.text import Text

from eventflow import facts
from eventflow.facts import Failure, Inline, Record
from examples.narrator import Narrator

RUN = "0193-aaaabbbb"
ARGUMENTS = {"path": {"$path": "data/incoming/first.csv"}, "epochs": 4, "pace": 0}
SUBMITTED = facts.RunSubmitted(RUN, "retrain", "g", msgspec.Raw(json.dumps(ARGUMENTS).encode()))


def told(*heard: facts.Fact) -> tuple[Narrator, list[str]]:
    lines: list[str] = []
    narrator = Narrator(lambda line: lines.append(Text.from_markup(line).plain))
    for seq, fact in enumerate(heard, 1):
        narrator.hear(Record(seq, 0, fact))
    return narrator, [line.partition("  ")[2] for line in lines]


def inline(value: object) -> Inline:
    return Inline(msgspec.Raw(json.dumps(value).encode()))


def test_an_event_and_its_run_are_told_by_the_file() -> None:
    event = facts.EventRecorded("e", "inbox", "i", "file", 0, msgspec.Raw(b'{"path":{"$path":"data/incoming/first.csv"},"size":1}'))
    _, lines = told(event, SUBMITTED, facts.DecisionMade("e", "retrain-on-drop", "fired", RUN), facts.RunStarted(RUN))
    assert lines == [
        "event     first.csv has landed",
        "decision  fired by retrain-on-drop: run aaaabbbb (first.csv)",
        "run       run aaaabbbb (first.csv) has started",
    ]


def test_what_else_the_project_does_is_passed_over() -> None:
    narrator, lines = told(
        SUBMITTED,
        facts.EventRecorded("e", "retrained", "i", "run.succeeded", 0, msgspec.Raw(b'{"run":"r"}')),
        facts.RunSubmitted("other", "report", "g", msgspec.Raw(b"{}")),
        facts.DecisionMade("e", "report-on-retraining", "fired", "other"),
        facts.RunStarted("other"),
        facts.AttemptStarted("other", "keep", 2),
        facts.AttemptSucceeded("other", "keep", 2, 0, inline(5)),
        facts.RunSucceeded("other", inline(5)),
    )
    assert lines == []
    assert [one.run for one in narrator.retrainings] == [RUN]


@pytest.mark.parametrize("path", [{"$path": "in/a\x1b[2J.csv"}, "in/[red]b.csv", {"$path64": "/w=="}])
def test_no_file_name_reaches_the_terminal_raw(path: object) -> None:
    _, lines = told(facts.EventRecorded("e", "inbox", "i", "file", 0, msgspec.Raw(json.dumps({"path": path}).encode())))
    assert lines[0] in {
        r"event     a\x1b[2J.csv has landed",
        "event     [red]b.csv has landed",
        "event     a file whose name is no text has landed",
    }


def test_a_training_is_told_by_its_epochs_and_goes_on_where_it_was() -> None:
    narrator, lines = told(
        SUBMITTED,
        facts.AttemptStarted(RUN, "train", 1),
        facts.CheckpointSaved(RUN, "train", 1, 2),
        facts.AttemptLost(RUN, "train", 1, 0, "crash", 1),
        facts.AttemptStarted(RUN, "train", 2),
    )
    assert [line.split("  ", 1)[1].strip() for line in lines] == [
        "train runs, 4 epochs",
        "epoch  2 of 4  ██░░",
        "train was lost: the daemon died under it",
        "train runs, attempt 2 at epoch 3 of 4",
    ]
    assert narrator.retrainings[0].epoch == 2


def test_a_deployment_is_told_with_both_accuracies() -> None:
    scores = {"model": 0.9624, "champion": 0.8647}
    verdict = {"outcome": "deployed", "version": "0002-aa", "scores": scores}
    narrator, lines = told(
        SUBMITTED, facts.AttemptSucceeded(RUN, "evaluate", 1, 0, inline(scores)), facts.RunSucceeded(RUN, inline(verdict))
    )
    assert "right about the digits held out: 96.2%; the champion: 86.5%" in lines[1]
    assert lines[2] == "run       run aaaabbbb (first.csv): deployed, 0002-aa is the champion"
    known = narrator.of("first.csv")
    assert known is not None
    assert (known.ending, known.accuracy, known.champion) == ("deployed", 0.9624, 0.8647)


def test_a_refused_batch_is_told_with_its_reason() -> None:
    narrator, lines = told(
        SUBMITTED,
        facts.AttemptFailed(RUN, "validate", 1, 0, "failed", Failure("BadBatch", "first.csv: 1 of 2 rows are bad\n  line 3: [x]")),
        facts.RunFailed(RUN, Failure("BadBatch", "")),
    )
    assert lines[0].endswith("failed: first.csv: 1 of 2 rows are bad\n  line 3: [x]")
    assert narrator.retrainings[0].ending == "failed"
