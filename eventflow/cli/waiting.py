"""`eventflow waiting`: what runs wait for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from eventflow import ids
from eventflow.cli import output, times, values
from eventflow.cli.asking import ask
from eventflow.cli.options import as_json
from eventflow.server import forms
from eventflow.server.answers import WaitingEntry
from eventflow.server.views import awaited
from eventflow.server.views.values import clipped


@click.command()
@as_json
@click.pass_obj
def waiting(place: Path, *, as_json: bool) -> None:
    """List what runs wait for, the oldest first: answers of people, events, instants, other runs."""
    found = ask(place, lambda client: client.waiting())
    if as_json:
        output.print_json(found)
    elif found:
        _print(found)
    else:
        click.echo("nothing waits")


def _print(found: Sequence[WaitingEntry]) -> None:
    rows = [
        (
            f"{ids.short(one.run)}/{one.node}",
            one.pipeline,
            awaited.of_entry(one),
            times.instant(one.since),
            times.instant(one.due),
            "" if one.question is None else forms.described(one.form),
            "" if one.shown is None else clipped(values.readable(msgspec.json.encode(one.shown)), 80),
        )
        for one in found
    ]
    output.print_table(output.console(), ("node", "pipeline", "waits for", "since", "until", "answer with", "shown"), rows)
