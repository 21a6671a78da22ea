"""`eventflow events`: what came, and what was decided about it; as it comes, if one likes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio
import click

from eventflow import facts, ids, states
from eventflow.cli import decided, output, times
from eventflow.cli.asking import ask
from eventflow.cli.emit import emit
from eventflow.cli.options import as_json
from eventflow.client import POLL, Client, connect
from eventflow.server.answers import EventEntry

_PAGE = 200


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events are asked for."""

    sensor: str | None
    decision: str | None

    async def page(self, client: Client, limit: int, before: int | None = None) -> list[EventEntry]:
        """Give a page of them, the newest first."""
        return await client.events(source=self.sensor, decision=self.decision, limit=limit, before=before)


@click.group(invoke_without_command=True)
@click.option("-f", "--follow", is_flag=True, help="Go on showing events as they come.")
@click.option("--sensor", help="Only events of this sensor, or of this source.")
@click.option("--decision", type=click.Choice(states.OUTCOMES), help="Only events of which a trigger decided so.")
@click.option("-n", "--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many of those that there are.")
@as_json
@click.pass_context
def events(ctx: click.Context, sensor: str | None, decision: str | None, limit: int, *, follow: bool, as_json: bool) -> None:
    """List events with what each trigger decided about them: the newest first, or, with -f, as they come."""
    if ctx.invoked_subcommand is not None:
        return
    if follow and as_json:
        raise click.UsageError("--json gives one document, which --follow would never end: use one of the two")
    wanted = Wanted(sensor, decision)
    if follow:
        anyio.run(_follow, ctx.obj, wanted, limit)
        return
    found = ask(ctx.obj, lambda client: wanted.page(client, limit))
    if as_json:
        output.print_json(found)
    elif found:
        _print(found)
    else:
        click.echo("no events")


events.add_command(emit)


async def _follow(place: Path, wanted: Wanted, limit: int) -> None:
    console = output.console()
    async with connect(place) as client:
        async for event in _coming(client, wanted, limit):
            console.print(
                output.sentence(
                    output.text(times.clock(event.received_at), "dim"),
                    ids.short(event.event),
                    output.text(event.source, "cyan"),
                    event.type,
                    decided.about(event),
                    "->",
                    decided.decisions(event),
                )
            )


async def _coming(client: Client, wanted: Wanted, limit: int) -> AsyncIterator[EventEntry]:
    """Give the last events that there are, the oldest of them first, and, where a daemon is at work, each that comes."""
    health = await client.health()
    after = shown = health.seq  # from before the list: what comes between that and the first look at the facts is found there
    for event in reversed(await wanted.page(client, limit)):
        yield event
        shown = max(shown, event.seq)
    while health.pid is not None:
        page = await client.facts(after=after, wait=POLL)
        after = max([after, *(record.seq for record in page.records)])
        newest = max([shown, *(record.seq for record in page.records if isinstance(record.fact, facts.EventRecorded))])
        for event in await _since(client, wanted, shown) if newest > shown else ():
            yield event
            newest = max(newest, event.seq)
        shown = newest


async def _since(client: Client, wanted: Wanted, seq: int) -> list[EventEntry]:
    """Give the events behind a place in the journal, the oldest first."""
    found: list[EventEntry] = []
    before = None
    while True:
        page = await wanted.page(client, _PAGE, before)
        found += [event for event in page if event.seq > seq]
        if len(page) < _PAGE or page[-1].seq <= seq:
            return found[::-1]
        before = page[-1].seq


def _print(found: Sequence[EventEntry]) -> None:
    rows = [
        (
            ids.short(event.event),
            event.source,
            event.type,
            times.instant(event.received_at),
            decided.decisions(event),
            decided.about(event),
        )
        for event in found
    ]
    output.print_table(output.console(), ("event", "sensor", "type", "received", "decisions", "about"), rows)
