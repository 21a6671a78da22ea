"""`eventflow runs`: a list of runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from rich.text import Text

from eventflow import ids, states
from eventflow.cli import output, times
from eventflow.cli.asking import ask
from eventflow.cli.options import as_json
from eventflow.server.answers import RunEntry, WaitEntry


@click.command()
@click.option("--state", type=click.Choice(sorted(states.OPEN_RUN | states.ENDED_RUN)), help="Only runs in this state.")
@click.option("--pipeline", help="Only runs of this pipeline.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many.")
@as_json
@click.pass_obj
def runs(place: Path, state: str | None, pipeline: str | None, limit: int, *, as_json: bool) -> None:
    """List runs, the newest first."""
    found = ask(place, lambda client: client.runs(state=state, pipeline=pipeline, limit=limit))
    if as_json:
        output.print_json(found)
    elif found:
        _print(found)
    else:
        click.echo("no runs")


def cause(run: RunEntry) -> str:
    """Tell in a few words why there is a run."""
    if run.parent is not None:
        return f"child of run {ids.short(run.parent)}, for its node {run.parent_node}"
    if run.rerun_of is not None:
        return f"rerun of run {ids.short(run.rerun_of)}"
    if run.trigger is not None:
        return f"trigger {run.trigger}" + (f" for event {ids.short(run.event)}" if run.event else "")
    return "by hand" if run.key is None else f"by hand, key {run.key}"


def state(run: RunEntry) -> Text:
    """Give a run's state, and whether a person has paused it."""
    is_open = run.state in states.OPEN_RUN
    return output.state(run.state) + output.text(", paused" if run.paused and is_open else "", "yellow")


def keeps(run: RunEntry) -> str:
    """Tell in a few words what an open run waits for, or why a run has ended as it did."""
    if run.pipeline_paused is not None:
        return f"its pipeline is paused: {run.pipeline_paused.reason}"
    if run.state != states.SUSPENDED:
        return run.reason or ""
    waits = ", ".join(map(_wait, run.waits))
    more = run.waiting - len(run.waits)
    return f"waits for {waits}" + (f", and {more:,} more" if more > 0 else "")


def _wait(wait: WaitEntry) -> str:
    kind = {states.ANSWER: "an answer", states.EVENT: "an event", states.TIME: "its time", states.CHILD: "a child run"}.get(
        wait.kind, wait.kind
    )
    return f"{kind} at {wait.node}" + (f" ({times.distance(wait.due)})" if wait.due is not None else "")


def _print(found: Sequence[RunEntry]) -> None:
    rows = [
        (
            ids.short(run.run),
            run.pipeline,
            state(run),
            times.instant(run.created_at),
            times.took(run.started_at, run.ended_at),
            cause(run),
            keeps(run),
        )
        for run in found
    ]
    output.print_table(output.console(), ("run", "pipeline", "state", "created", "took", "cause", "reason"), rows)
