"""`eventflow unpause`: let a paused run, or a paused pipeline, go on."""

from __future__ import annotations

from pathlib import Path

import click

from eventflow import escapes
from eventflow.cli import output
from eventflow.cli.asking import ask_daemon
from eventflow.cli.options import as_json
from eventflow.cli.pause import is_pipeline
from eventflow.client import Client
from eventflow.server.answers import PipelineEntry, RunEntry


@click.command()
@click.argument("what", metavar="RUN|PIPELINE")
@as_json
@click.pass_obj
def unpause(place: Path, what: str, *, as_json: bool) -> None:
    """Let a paused run go on, or admit the runs of a paused pipeline again."""

    async def ask(client: Client) -> RunEntry | PipelineEntry:
        return await client.unpause_pipeline(what) if await is_pipeline(client, what) else await client.unpause(what)

    found = ask_daemon(place, ask)
    if as_json:
        output.print_json(found)
    else:
        named = f"pipeline {found.pipeline}" if isinstance(found, PipelineEntry) else output.run_named(found)
        click.echo(escapes.line(f"{named} is not paused"))
