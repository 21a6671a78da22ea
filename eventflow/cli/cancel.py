"""`eventflow cancel`: ask for the end of a run, or of one node of it."""

from __future__ import annotations

from pathlib import Path

import click

from eventflow import escapes, states
from eventflow.cli import output
from eventflow.cli.asking import ask_daemon
from eventflow.cli.options import as_json
from eventflow.server.answers import RunEntry


@click.command()
@click.argument("run")
@click.argument("node", required=False)
@as_json
@click.pass_obj
def cancel(place: Path, run: str, node: str | None, *, as_json: bool) -> None:
    """Have a run cancelled, or one NODE of it. The wish is durable at once; the end comes when what runs has stopped."""
    found = ask_daemon(place, lambda client: client.cancel(run, node))
    if as_json:
        output.print_json(found)
    else:
        click.echo(escapes.line(f"{node} of {output.run_named(found)} is being cancelled" if node else _told(found)))


def _told(run: RunEntry) -> str:
    named = output.run_named(run)
    if run.state not in states.ENDED_RUN:
        return f"{named} is being cancelled"
    return f"{named} was cancelled" if run.cancel_requested else f"{named} had ended already: {run.state}"
