"""`eventflow submit`: have the daemon run a pipeline."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from eventflow import escapes, facts, ids, states
from eventflow.cli import output, schemas, show
from eventflow.cli.asking import ask_daemon
from eventflow.cli.options import as_json, parameters
from eventflow.cli.progress import RunProgress
from eventflow.client import Client
from eventflow.server.answers import RunDetail, RunEntry

_ENDINGS = (facts.RunSucceeded, facts.RunFailed, facts.RunCancelled)


@click.command()
@click.argument("pipeline")
@parameters
@click.option("--key", help="Submit only once: with the same key again, the first run is given.")
@click.option("--priority", type=int, default=0, show_default=True, help="Higher ones leave the queue first.")
@click.option("--wait", is_flag=True, help="Wait for the run's end, and exit with 1 if it failed.")
@as_json
@click.pass_obj
def submit(place: Path, pipeline: str, texts: dict[str, str], key: str | None, priority: int, *, wait: bool, as_json: bool) -> int:
    """Have the daemon run a pipeline: durably, once this returns."""

    async def ask(client: Client) -> RunEntry | RunDetail:
        schema = msgspec.json.decode((await client.pipeline(pipeline)).parameters)
        typed = schemas.absolute(texts, schemas.properties(schema))
        run = await client.submit(pipeline, texts=typed, key=key, priority=priority)
        return await _ended(client, run) if wait else run

    found = ask_daemon(place, ask)
    if as_json:
        output.print_json(found)
    elif isinstance(found, RunDetail):
        show.print_run(output.console(), found)
    else:
        click.echo(escapes.line(f"run {ids.short(found.run)} of {found.pipeline} is submitted"))
    return 1 if isinstance(found, RunDetail) and found.run.state != states.SUCCEEDED else 0


async def _ended(client: Client, run: RunEntry) -> RunDetail:
    progress = RunProgress()
    async for record in client.follow(after=run.seq, run=run.run):
        progress.committed([record])
        if isinstance(record.fact, _ENDINGS):
            break
    return await client.run(run.run)
