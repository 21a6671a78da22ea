"""`eventflow answer`: answer what a run asks."""

from __future__ import annotations

import getpass
from pathlib import Path

import click

from eventflow import escapes
from eventflow.cli import output
from eventflow.cli.asking import ask_daemon
from eventflow.cli.options import as_json


@click.command()
@click.argument("what", metavar="RUN/NODE")
@click.argument("value")
@click.option("--by", help="Who answers; without this your login name.")
@as_json
@click.pass_obj
def answer(place: Path, what: str, value: str, by: str | None, *, as_json: bool) -> None:
    """Answer what a node asks: durably, once this returns. `eventflow waiting` lists what is asked.

    VALUE is read by the form: a text or a choice as it stands, yes or no, anything else as JSON.
    """
    run, slash, node = what.partition("/")
    if not slash or not node:
        raise click.UsageError(f"{what!r} names no node: write RUN/NODE, as `eventflow waiting` does")
    who = _login() if by is None else by
    found = ask_daemon(place, lambda client: client.answer(run, node, text=value, by=who))
    if as_json:
        output.print_json(found)
    else:
        click.echo(escapes.line(f"{node} of {output.run_named(found)} is answered" + (f" by {who}" if who else "")))


def _login() -> str | None:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as there are in containers
        return None
