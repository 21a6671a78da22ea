"""`eventflow cancel`: ask for a run's end."""

from __future__ import annotations

from pathlib import Path

import click

from eventflow import escapes, ids, states
from eventflow.cli import output
from eventflow.cli.asking import ask_daemon
from eventflow.cli.options import as_json


@click.command()
@click.argument("run")
@as_json
@click.pass_obj
def cancel(place: Path, run: str, *, as_json: bool) -> None:
    """Have a run cancelled. The wish is durable at once; the end comes when what runs has stopped."""
    found = ask_daemon(place, lambda client: client.cancel(run))
    if as_json:
        output.print_json(found)
        return
    named = f"run {ids.short(found.run)} of {found.pipeline}"
    if found.state not in states.ENDED_RUN:
        click.echo(escapes.line(f"{named} is being cancelled"))
    elif found.cancel_requested:
        click.echo(escapes.line(f"{named} was cancelled"))
    else:
        click.echo(escapes.line(f"{named} had ended already: {found.state}"))
