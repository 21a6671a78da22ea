"""`eventflow pause`: have a run start nothing more, or a pipeline's runs stay in the queue."""

from __future__ import annotations

from pathlib import Path

import click

from eventflow import escapes, ids
from eventflow.cli import output
from eventflow.cli.asking import ask_daemon
from eventflow.cli.options import as_json
from eventflow.client import Client
from eventflow.server.answers import PipelineEntry, RunEntry


@click.command()
@click.argument("what", metavar="RUN|PIPELINE")
@click.option("--reason", default="asked for", show_default=True, help="Why a pipeline is paused, for those who will ask.")
@as_json
@click.pass_obj
def pause(place: Path, what: str, reason: str, *, as_json: bool) -> None:
    """Have a run start nothing more, or leave a pipeline's runs in the queue. What runs goes on; the pause is durable at once.

    A name that a pipeline has is that pipeline.
    """

    async def ask(client: Client) -> RunEntry | PipelineEntry:
        return await client.pause_pipeline(what, reason) if await is_pipeline(client, what) else await client.pause(what)

    found = ask_daemon(place, ask)
    if as_json:
        output.print_json(found)
    elif isinstance(found, PipelineEntry):
        click.echo(escapes.line(f"pipeline {found.pipeline} is paused: `eventflow unpause {found.pipeline}` admits its runs again"))
    else:
        click.echo(escapes.line(f"{output.run_named(found)} is paused: `eventflow unpause {ids.short(found.run)}` lets it go on"))


async def is_pipeline(client: Client, what: str) -> bool:
    """Tell whether a word names a pipeline of the daemon's, and so no run."""
    return any(pipeline.pipeline == what for pipeline in await client.pipelines())
