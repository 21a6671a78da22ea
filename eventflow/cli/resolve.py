"""`eventflow resolve`: decide about a held run."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from eventflow import escapes
from eventflow.cli import output
from eventflow.cli.asking import ask_daemon
from eventflow.cli.options import as_json


@click.command()
@click.argument("run")
@click.argument("choice", type=click.Choice(["resume", "restart", "fail"]))
@as_json
@click.pass_obj
def resolve(place: Path, run: str, choice: Literal["resume", "restart", "fail"], *, as_json: bool) -> None:
    """Decide about a run that is held because the code has changed: durably, once this returns.

    `resume` has it go on with the code as it is, `restart` begins it anew as another run and cancels it, `fail` ends it.
    """
    found = ask_daemon(place, lambda client: client.resolve(run, choice))
    if as_json:
        output.print_json(found)
    else:
        click.echo(escapes.line(f"{output.run_named(found)} {_DONE[choice]}"))


_DONE = {"resume": "goes on", "restart": "is submitted in its place", "fail": "has failed"}
