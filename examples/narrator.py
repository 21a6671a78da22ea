"""Tells a person what a daemon is doing: a line for each fact that matters to the retraining of handwritten digits."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import singledispatchmethod
from pathlib import Path
from typing import Any, TypeAlias

from rich.markup import escape

from eventflow import facts
from eventflow.facts import Fact, Inline, Record, Value

Say: TypeAlias = Callable[[str], None]


@dataclass
class Retraining:
    """How far the run of one file has come. `ending` is `deployed`, `kept`, `failed`, `cancelled`, or nothing yet."""

    run: str
    file: str
    epochs: int
    epoch: int = 0
    ending: str = ""
    version: str = ""
    accuracy: float | None = None
    champion: float | None = None

    def __str__(self) -> str:
        return f"run [cyan]{self.run[-8:]}[/] ({escape(self.file)})"


class Narrator:
    """Hears facts in their order and says what they mean, to `say`, in rich's markup."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._clock = ""
        self._known: dict[str, Retraining] = {}

    @property
    def retrainings(self) -> list[Retraining]:
        """All runs so far, in the order in which they were decided on."""
        return list(self._known.values())

    def of(self, file: str) -> Retraining | None:
        """Give the run of a file, if there is one by now."""
        return next((one for one in self._known.values() if one.file == file), None)

    def hear(self, record: Record) -> None:
        """Take the next fact."""
        self._clock = datetime.fromtimestamp(record.at / 1e6, tz=UTC).astimezone().strftime("%H:%M:%S")
        if self._is_meant(record.fact):
            self._tell(record.fact)

    def _is_meant(self, fact: Fact) -> bool:
        """Tell whether a fact is about the inbox or a retraining: this project does other things as well."""
        match fact:
            case facts.RunSubmitted(pipeline=pipeline):
                return pipeline == "retrain"
            case facts.EventRecorded(source=source):
                return source == "inbox"
            case facts.DecisionMade(trigger=trigger):
                return trigger == "retrain-on-drop"
            case _:
                run = facts.run_of(fact)
                return run is None or run in self._known

    def _line(self, about: str, text: str) -> None:
        self._say(f"[dim]{self._clock}[/]  [dim]{about:<8}[/]  {text}")

    @singledispatchmethod
    def _tell(self, fact: Fact) -> None:
        """Most facts are nothing to talk about."""

    @_tell.register
    def _(self, fact: facts.EventRecorded) -> None:
        self._line("event", f"{escape(_file(fact.data))} has landed")

    @_tell.register
    def _(self, fact: facts.DecisionMade) -> None:
        what = self._known[fact.run] if fact.run in self._known else escape(fact.reason or "")
        self._line("decision", f"[bold]{fact.outcome}[/] by {fact.trigger}: {what}")

    @_tell.register
    def _(self, fact: facts.RunSubmitted) -> None:
        self._known[fact.run] = Retraining(fact.run, _file(fact.arguments), _json(fact.arguments)["epochs"])

    @_tell.register
    def _(self, fact: facts.RunStarted) -> None:
        self._line("run", f"{self._known[fact.run]} has started")

    @_tell.register
    def _(self, fact: facts.AttemptStarted) -> None:
        again = f", attempt {fact.attempt}" if fact.attempt > 1 else ""
        known = self._known[fact.run]
        if fact.node == "train":
            done = f" at epoch {known.epoch + 1} of {known.epochs}" if known.epoch else f", {known.epochs} epochs"
            self._line("node", f"[bold]train[/] runs{again}{done}")
        elif again:
            self._line("node", f"[bold]{fact.node}[/] runs{again}")

    @_tell.register
    def _(self, fact: facts.CheckpointSaved) -> None:
        known = self._known[fact.run]
        known.epoch = fact.position
        bar = "█" * fact.position + "░" * (known.epochs - fact.position)
        self._line("", f"epoch {fact.position:>2} of {known.epochs}  [green]{bar}[/]")

    @_tell.register
    def _(self, fact: facts.AttemptSucceeded) -> None:
        self._line("node", f"[bold]{fact.node}[/] [green]succeeded[/]")
        known, said = self._known[fact.run], _value(fact.result)
        if fact.node == "evaluate" and isinstance(said, dict):
            known.accuracy, known.champion = said["model"], said["champion"]
            rival = "there is no champion yet" if known.champion is None else f"the champion: [bold]{known.champion:.1%}[/]"
            self._line("", f"right about the digits held out: [bold]{known.accuracy:.1%}[/]; {rival}")

    @_tell.register
    def _(self, fact: facts.AttemptFailed) -> None:
        self._line("node", f"[bold]{fact.node}[/] [red]failed[/]: {escape(fact.failure.message)}")

    @_tell.register
    def _(self, fact: facts.AttemptLost) -> None:
        reason = "the daemon died under it" if fact.reason == "crash" else "the daemon was stopped"
        self._line("node", f"[bold]{fact.node}[/] [yellow]was lost[/]: {reason}")

    @_tell.register
    def _(self, fact: facts.RunSucceeded) -> None:
        known, said = self._known[fact.run], _value(fact.result)
        known.ending, known.version = said["outcome"], said["version"]
        colour = "green" if known.ending == "deployed" else "yellow"
        words = f"{known.version} is the champion" if known.ending == "deployed" else f"{known.version} stays the champion"
        self._line("run", f"{known}: [bold {colour}]{known.ending}[/], {words}")

    @_tell.register
    def _(self, fact: facts.RunFailed) -> None:
        known = self._known[fact.run]
        known.ending = "failed"
        self._line("run", f"{known} [bold red]failed[/], the champion stays")

    @_tell.register
    def _(self, fact: facts.RunCancelled) -> None:
        known = self._known[fact.run]
        known.ending = "cancelled"
        self._line("run", f"{known} was cancelled")


def _json(raw: bytes | bytearray | memoryview) -> dict[str, Any]:
    return json.loads(bytes(raw))


def _file(raw: bytes | bytearray | memoryview) -> str:
    """Give the name of the file in an event's data or a run's arguments, escaped for a terminal."""
    path = _json(raw)["path"]
    plain = path if isinstance(path, str) else path.get("$path", "a file whose name is no text")
    return repr(Path(plain).name)[1:-1]


def _value(value: Value) -> Any:  # results of this pipeline are small: they stand in the fact itself
    return json.loads(bytes(value.json)) if isinstance(value, Inline) else None
