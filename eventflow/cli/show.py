"""`eventflow show`: one run, with its nodes."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from eventflow import escapes, ids, states
from eventflow.cli import output, times, values
from eventflow.cli.asking import ask
from eventflow.cli.options import as_json
from eventflow.cli.runs import cause
from eventflow.facts import Failure
from eventflow.server.answers import NodeDetail, RunDetail
from eventflow.server.views.values import clipped


@click.command()
@click.argument("run")
@as_json
@click.pass_obj
def show(place: Path, run: str, *, as_json: bool) -> None:
    """Show a run: its arguments, its nodes, and how it ended. RUN is its id, or the last digits of it."""
    found = ask(place, lambda client: client.run(run))
    if as_json:
        output.print_json(found)
    else:
        print_run(output.console(), found)


def print_run(console: Console, found: RunDetail) -> None:
    """Print a run for people."""
    run = found.run
    wish = " (to be cancelled)" if run.cancel_requested and run.state in states.OPEN_RUN else ""
    console.print(output.sentence("run", output.text(ids.short(run.run), "bold"), "of", run.pipeline, output.state(run.state), wish))
    whole = times.took(run.started_at or run.created_at, run.ended_at)
    facts = [
        ("id", run.run),
        ("created", f"{times.instant(run.created_at)}, {cause(run)}"),
        ("started", times.instant(run.started_at)),
        ("ended", f"{times.instant(run.ended_at)}, after {whole}" if run.ended_at else ""),
        ("held", run.reason if run.state == states.HELD else ""),
        *values.arguments(found.arguments),
        ("result", values.value(found.result) if found.result else ""),
    ]
    for name, said in facts:
        if said:
            console.print(output.sentence(f"  {name:<10}", said))
    console.print()
    output.print_table(console, ("node", "state", "attempts", "started", "took", ""), [_node(node) for node in found.nodes])
    if found.failure is not None:
        _print_failure(console, found.failure)


def _node(node: NodeDetail) -> tuple[object, ...]:
    began = node.attempts[0].started_at if node.attempts else None
    clock = "" if began is None else times.clock(began)
    return node.node, output.state(node.state), _attempts(node), clock, times.took(began, node.ended_at), _about(node)


def _attempts(node: NodeDetail) -> str:
    others = [attempt.state for attempt in node.attempts if attempt.state in (states.FAILED, states.LOST)]
    counted = ", ".join(f"{others.count(state)} {state}" for state in dict.fromkeys(others))
    return f"{len(node.attempts) or ''}" + (f" ({counted})" if counted else "")


def _about(node: NodeDetail) -> str:
    if node.failure is not None:
        return clipped(str(node.failure), 200)
    if node.state == states.RETRYING and node.due is not None:
        return f"is tried again {times.distance(node.due)}"
    if node.state == states.UPSTREAM_FAILED:
        return f"{node.reason} didn't succeed"
    if node.result is not None:
        return values.value(node.result, 80)
    saved = node.checkpoint
    return "" if saved is None else f"saved {times.distance(saved.saved_at)}, {saved.position} iterations done"


def _print_failure(console: Console, failure: Failure) -> None:
    console.print()
    console.print(output.sentence(output.text(failure.type, "red"), f"at {failure.where}" if failure.where else ""))
    console.print(escapes.block(failure.message))
    if failure.traceback:
        console.print()
        console.print(escapes.block(failure.traceback.rstrip()), style="dim")
