"""A run's progress as it comes: a line on stderr for each thing that happens to a node."""

from __future__ import annotations

from collections.abc import Sequence

from eventflow import facts
from eventflow.cli import output, times
from eventflow.facts import Record
from eventflow.ports import Instrument
from eventflow.server.views.telling import tell
from eventflow.server.views.values import clipped


class RunProgress(Instrument):
    """Prints what is committed, as far as it is about a node or keeps a run from going on."""

    def __init__(self) -> None:
        self._console = output.console(err=True)

    def committed(self, records: Sequence[Record]) -> None:
        for record in records:
            self._print(record)

    def _print(self, record: Record) -> None:
        said = tell(record)
        if said is None or facts.run_of(record.fact) is None or isinstance(record.fact, _TOLD_ELSEWHERE):
            return
        node = getattr(record.fact, "node", None)
        words = clipped(said.text, 500)
        self._console.print(output.sentence(output.text(times.clock(record.at), "dim"), output.text(f"{node or 'run':<10}", "cyan"), words))


_TOLD_ELSEWHERE = (facts.RunSubmitted, facts.RunStarted, facts.RunSucceeded, facts.RunFailed, facts.RunCancelled)
