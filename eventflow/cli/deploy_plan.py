"""`eventflow deploy-plan`: what a restart with the code on disk would do."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path

import anyio
import click

from eventflow import ids
from eventflow.cli import endings, output
from eventflow.cli.options import as_json
from eventflow.engine import deploys
from eventflow.engine.deploys import DeployEntry
from eventflow.errors import ProjectError
from eventflow.journal.view import read_sqlite
from eventflow.project import Project, find, load
from eventflow.system import SystemClock


@click.command("deploy-plan")
@as_json
@click.pass_obj
def deploy_plan(place: Path, *, as_json: bool) -> int:
    """Tell what would become of each open run if the daemon were started with the code on disk now. Changes nothing.

    A daemon may be at work. The exit code is 78 if the code has a mistake: then no daemon starts with it.
    """
    try:
        with redirect_stdout(sys.stderr):  # what modules print while they are imported
            project = load(find(place))
    except ProjectError:
        endings.say("with this code no daemon starts, and open runs stay where they are:")
        raise
    found = anyio.run(_planned, project)
    if as_json:
        output.print_json(found)
    else:
        _print(found)
    return 0


async def _planned(project: Project) -> list[DeployEntry]:
    async with read_sqlite(project.state, clock=SystemClock()) as journal:
        return await deploys.deploy_plan(journal, project.pipelines)


def _print(found: Sequence[DeployEntry]) -> None:
    if not found:
        click.echo("no run is open: nothing to plan")
        return
    rows = [
        (ids.short(one.run), one.pipeline, output.state(one.state), output.state(one.what.replace("_", " ")), _why(one)) for one in found
    ]
    output.print_table(output.console(), ("run", "pipeline", "state", "would be", ""), rows)
    counts = Counter(one.what.replace("_", " ") for one in found)
    click.echo("\n" + ", ".join(f"{count} {what}" for what, count in counts.items()))


def _why(entry: DeployEntry) -> str:
    return f"for {', '.join(entry.nodes)}" if entry.nodes else entry.reason or ""
