"""`eventflow events emit`: publish an event by hand."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

import click
import msgspec
from msgspec import UNSET

from eventflow import ids
from eventflow.cli import decided, output, schemas
from eventflow.cli.asking import ask_daemon
from eventflow.cli.options import as_json, fields
from eventflow.client import Client
from eventflow.durations import SECOND
from eventflow.errors import NotFound
from eventflow.server.sightings import PublishedEvent


@click.command()
@click.argument("source")
@click.option("--id", "identity", help="What tells it from other events of the source; without this a fresh one. The same twice is once.")
@click.option("--type", "kind", help="Its type; without this the source's name.")
@click.option("--subject", help="What it is about.")
@click.option("--time", "at", help="When it happened, as 2026-11-20T02:00:00Z; without an offset by local time, without this now.")
@click.option("--data", help="Its data, as JSON.")
@fields
@click.option("--file", type=click.File("rb"), help="A file that holds its data as JSON; - is stdin.")
@as_json
@click.pass_obj
def emit(
    place: Path,
    source: str,
    *,
    identity: str | None,
    kind: str | None,
    subject: str | None,
    at: str | None,
    data: str | None,
    texts: dict[str, str],
    file: BinaryIO | None,
    as_json: bool,
) -> None:
    """Publish an event by hand, as if the sensor SOURCE had seen it: durably, with what was decided, once this returns.

    Its data is checked by what that sensor's events carry. SOURCE may be a name without a sensor, which a trigger or a run waits for.
    """
    given, when = _data(data, texts, file), _instant(at)

    async def publish(client: Client) -> PublishedEvent:
        typed = await _absolute(client, source, texts)
        return await client.publish(source, given, texts=typed, id=identity, type=kind, subject=subject, time=when)

    published = ask_daemon(place, publish)
    if as_json:
        output.print_json(published)
    else:
        _print_published(published)


def _print_published(published: PublishedEvent) -> None:
    console = output.console()
    known = published.event
    named = "an event of this id" if known is None else f"event {ids.short(known.event)}"
    if published.duplicate:
        fired = f"; it had fired {', '.join(f'run {ids.short(run)}' for run in published.runs)}" if published.runs else ""
        console.print(output.text(f"{named} was there already: nothing is recorded or decided anew{fired}"))
    else:
        console.print(output.text(f"{named} is recorded"))
        for made in [] if known is None else known.decisions:
            console.print(output.sentence("  trigger", decided.decision(made)))
    if published.note is not None:
        console.print(output.text(published.note, "yellow"))


def _data(data: str | None, texts: dict[str, str], file: BinaryIO | None) -> object:
    """Give the data that was typed as JSON, or that a file holds; nothing where it is typed field by field, or none is given."""
    if sum((data is not None, bool(texts), file is not None)) > 1:
        raise click.UsageError("give the data once: with --data, with -d or with --file")
    if data is None and file is None:
        return UNSET
    raw = (data or "").encode("utf-8", "surrogateescape") if file is None else file.read()
    try:
        msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise click.UsageError(f"the data is no JSON: {error}; -d field=value needs no quotes") from error
    return msgspec.Raw(raw)


def _instant(typed: str | None) -> int | None:
    if typed is None:
        return None
    try:
        when = datetime.fromisoformat(typed)
        return round(when.timestamp() * SECOND)
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(f"{typed!r} is no instant: write it as 2026-11-20T02:00:00Z", param_hint="--time") from error


async def _absolute(client: Client, source: str, texts: dict[str, str]) -> dict[str, str]:
    """Make the paths among typed fields whole, where the sensor tells which are paths."""
    if not texts:
        return texts
    try:
        detail = await client.sensor(source)
    except NotFound:
        return texts
    return schemas.absolute(texts, schemas.properties(cast("dict[str, Any]", detail.data or {})))
