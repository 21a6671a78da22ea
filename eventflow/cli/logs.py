"""`eventflow logs`: what the tasks of a run printed and logged."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import click
from rich.console import Console

from eventflow import states
from eventflow.cli import output, times
from eventflow.cli.options import as_json
from eventflow.client import Client, connect
from eventflow.logs.lines import Line

LOOK_EVERY = 0.5
"""Seconds between two looks for new lines."""

_LEVELS = {"debug": "dim", "warning": "yellow", "error": "red", "critical": "bold red"}


@click.command()
@click.argument("run")
@click.argument("node", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on showing lines as they come, until the run has ended.")
@click.option("--attempt", type=click.IntRange(1), help="Only the lines of this attempt.")
@as_json
@click.pass_obj
def logs(place: Path, run: str, node: str | None, attempt: int | None, *, follow: bool, as_json: bool) -> None:
    """Show what a run's tasks printed and logged, of all nodes or of one. NODE may be an item of a map, a whole map, or a group."""
    if follow and as_json:
        raise click.UsageError("--json gives one document, which --follow would never end: use one of the two")

    async def collect() -> list[Line]:
        async with connect(place) as client:
            return [line async for line in _lines(client, run, node, attempt, follow=False)]

    async def show() -> None:
        console = output.console()
        async with connect(place) as client:
            async for line in _lines(client, run, node, attempt, follow=follow):
                _print(console, line)

    if as_json:
        output.print_json(anyio.run(collect))
    else:
        anyio.run(show)


async def _lines(client: Client, run: str, node: str | None, attempt: int | None, *, follow: bool) -> AsyncIterator[Line]:
    after = 0
    is_live = follow and (await client.health()).pid is not None
    while True:
        has_ended = not is_live or (await client.run(run)).run.state in states.ENDED_RUN  # before looking: then nothing more can come
        page = await client.logs(run, node=node, attempt=attempt, after=after)
        for line in page.lines:
            yield line
        after = page.after
        if page.more:
            continue
        if has_ended:
            return
        await anyio.sleep(LOOK_EVERY)


def _print(console: Console, line: Line) -> None:
    whose = f"{line.node}" if line.attempt == 1 else f"{line.node}#{line.attempt}"
    level = "" if line.level == "info" else output.text(line.level, _LEVELS.get(line.level, ""))
    console.print(output.sentence(output.text(times.clock(line.at), "dim"), output.text(f"{whose:<10}", "cyan"), level, line.text))
