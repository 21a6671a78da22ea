"""`eventflow show`: one run, with its nodes."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from rich.console import Console

from eventflow import escapes, ids, states
from eventflow.cli import nodes, output, times, values
from eventflow.cli.asking import ask
from eventflow.cli.options import as_json
from eventflow.cli.runs import cause, keeps, state
from eventflow.client import Client
from eventflow.facts import Failure
from eventflow.server.answers import RunDetail
from eventflow.server.views import items


@click.command()
@click.argument("run")
@click.option("--all", "whole", is_flag=True, help="List every item of every map, not only those that failed or are at work.")
@as_json
@click.pass_obj
def show(place: Path, run: str, *, whole: bool, as_json: bool) -> None:
    """Show a run: its arguments, its nodes, and how it ended. RUN is its id, or the last digits of it.

    Of the items of its maps it tells how many are in which state, and lists those that failed, run, or wait.
    """
    found = ask(place, lambda client: _whole(client, run) if whole else client.run(run))
    if as_json:
        output.print_json(found)
    else:
        print_run(output.console(), found)


def print_run(console: Console, found: RunDetail) -> None:
    """Print a run for people."""
    run = found.run
    wish = " (to be cancelled)" if run.cancel_requested and run.state in states.OPEN_RUN else ""
    console.print(output.sentence("run", output.text(ids.short(run.run), "bold"), "of", run.pipeline, state(run), wish))
    whole = times.took(run.started_at or run.created_at, run.ended_at)
    facts = [
        ("id", run.run),
        ("created", f"{times.instant(run.created_at)}, {cause(run)}"),
        ("started", times.instant(run.started_at)),
        ("ended", f"{times.instant(run.ended_at)}, after {whole}" if run.ended_at else ""),
        (run.state, keeps(run) if run.state in states.OPEN_RUN else ""),
        *values.arguments(found.arguments),
        ("result", values.value(found.result) if found.result else ""),
    ]
    for name, said in facts:
        if said:
            console.print(output.sentence(f"  {name:<10}", said))
    console.print()
    output.print_table(console, ("node", "state", "attempts", "started", "took", ""), list(nodes.rows(found)))
    if found.after is not None:
        console.print(output.text(f"more items than these {len(found.items):,}: --all lists every one", "dim"))
    if found.failure is not None:
        _print_failure(console, found.failure)


async def _whole(client: Client, run: str) -> RunDetail:
    """Give a run with all items of its maps, page by page."""
    every = ",".join(sorted(items.BEGUN))
    found = await client.run(run, state=every, limit=_PAGE)
    listed, after = [*found.items], found.after
    while after is not None:
        page = await client.run(run, state=every, limit=_PAGE, after=after)
        listed, after = [*listed, *page.items], page.after
    return msgspec.structs.replace(found, items=listed, after=None)


def _print_failure(console: Console, failure: Failure) -> None:
    console.print()
    console.print(output.sentence(output.text(failure.type, "red"), f"at {failure.where}" if failure.where else ""))
    console.print(escapes.block(failure.message))
    if failure.traceback:
        console.print()
        console.print(escapes.block(failure.traceback.rstrip()), style="dim")


_PAGE = 1000
