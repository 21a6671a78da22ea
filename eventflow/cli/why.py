"""`eventflow why`: the story of an event, a run or a node, in sentences."""

from __future__ import annotations

from pathlib import Path

import click

from eventflow import escapes
from eventflow.cli import output, times
from eventflow.cli.asking import ask
from eventflow.cli.options import as_json


@click.command()
@click.argument("what", metavar="EVENT|RUN|RUN/NODE|SENSOR/ID")
@as_json
@click.pass_obj
def why(place: Path, what: str, *, as_json: bool) -> None:
    """Explain why an event, a run or a node of a run is where it is.

    An event is named by its id here, or by its sensor and its id there: `orders/evt_4711`.
    """
    found = ask(place, lambda client: client.why(what))
    if as_json:
        output.print_json(found)
        return
    console = output.console()
    width = max((len(times.instant(one.at)) for one in found.sentences), default=0)
    for one in found.sentences:
        first, *others = one.text.split("\n")
        console.print(output.sentence(output.text(f"{times.instant(one.at):<{width}} ", "dim"), first))
        for other in others:
            console.print(" " * (width + 2) + escapes.line(other))
