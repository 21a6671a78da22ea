"""`eventflow rerun`: make a run again, with what still holds of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from eventflow import escapes, ids
from eventflow.cli import output
from eventflow.cli.asking import ask_daemon
from eventflow.cli.options import as_json, parameters
from eventflow.client import Client
from eventflow.definition.graph import path_of
from eventflow.server.answers import PlannedNode, Rerun

FEW = 5
"""So many items of a map that all have the same fate are listed one by one."""


@click.command()
@click.argument("run")
@click.option("--from", "since", default="failed", show_default=True, metavar="failed|everything|NODE", help="Where it begins anew.")
@parameters
@click.option("--key", help="Submit only once: with the same key again, the first run is given.")
@click.option("--plan", "dry", is_flag=True, help="Only show what would become of each node, and why.")
@as_json
@click.pass_obj
def rerun(place: Path, run: str, since: str, texts: dict[str, str], key: str | None, *, dry: bool, as_json: bool) -> None:
    """Make a run that has ended again, as a new run. Results that still hold are taken over; the plan says which, and why not the others.

    Parameters that aren't given with -p are as they were. NODE may be an item of a map, such as `train[3]`, or a group.
    """

    async def ask(client: Client) -> Rerun:
        if dry:
            return await client.plan_rerun(run, since, texts=texts)
        return await client.rerun(run, since, texts=texts, key=key)

    found = ask_daemon(place, ask)
    if as_json:
        output.print_json(found)
        return
    output.print_table(output.console(), ("node", "plan", "why"), list(_rows(found.plan)))
    if found.run is not None:
        click.echo(escapes.line(f"{output.run_named(found.run)} is submitted, a rerun of {ids.short(found.run.rerun_of or run)}"))


def _rows(plan: Sequence[PlannedNode]) -> Iterator[tuple[object, ...]]:
    groups: dict[tuple[str, str, str], list[PlannedNode]] = {}
    for one in plan:
        groups.setdefault((path_of(one.node), one.what, one.why), []).append(one)
    for (path, what, why), alike in groups.items():
        if len(alike) > FEW:
            yield f"{path} ({len(alike):,} items)", output.state(what), why
        else:
            yield from ((one.node, output.state(what), why) for one in alike)
