"""`eventflow runs`: a list of runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from eventflow import ids, states
from eventflow.cli import output, times
from eventflow.cli.asking import ask
from eventflow.cli.options import as_json
from eventflow.server.answers import RunEntry


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
    if run.trigger is not None:
        return f"trigger {run.trigger}" + (f" for event {ids.short(run.event)}" if run.event else "")
    return "by hand" if run.key is None else f"by hand, key {run.key}"


def _print(found: Sequence[RunEntry]) -> None:
    rows = [
        (
            ids.short(run.run),
            run.pipeline,
            output.state(run.state),
            times.instant(run.created_at),
            times.took(run.started_at, run.ended_at),
            cause(run),
            run.reason or "",
        )
        for run in found
    ]
    output.print_table(output.console(), ("run", "pipeline", "state", "created", "took", "cause", "reason"), rows)
