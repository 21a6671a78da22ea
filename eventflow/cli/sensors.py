"""`eventflow sensors`: how the sensors are, and what can be done to one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import click
from rich.console import Console

from eventflow import durations, escapes, ids, states
from eventflow.cli import decided, output, schemas, times
from eventflow.cli.asking import ask_about_sensors, ask_daemon
from eventflow.cli.options import as_json
from eventflow.server.answers import EventEntry
from eventflow.server.sightings import SensorDetail, SensorEntry


@click.group(invoke_without_command=True)
@as_json
@click.pass_context
def sensors(ctx: click.Context, *, as_json: bool) -> None:
    """List the sensors: their health and why, when they last looked, their last event and how late it came, and where they stand."""
    if ctx.invoked_subcommand is not None:
        return
    found = ask_about_sensors(ctx.obj, lambda client: client.sensors())
    if as_json:
        output.print_json(found)
    elif found:
        _print(found)
    else:
        click.echo("no sensors")


@sensors.command()
@click.argument("sensor")
@as_json
@click.pass_obj
def show(place: Path, sensor: str, *, as_json: bool) -> None:
    """Show a sensor: how it is, its options, its triggers, its newest events with what was decided, and when it fires next."""
    found = ask_about_sensors(place, lambda client: client.sensor(sensor))
    if as_json:
        output.print_json(found)
    else:
        _print_one(output.console(), found)


@sensors.command()
@click.argument("sensor")
@as_json
@click.pass_obj
def poke(place: Path, sensor: str, *, as_json: bool) -> None:
    """Have a sensor look at once, whatever it waits for. One that failed tries again; one that is paused stays so."""
    found = ask_daemon(place, lambda client: client.poke_sensor(sensor))
    is_paused = found.state == states.PAUSED
    _say(found, f"is paused, and doesn't look: {_RESUME.format(found.sensor)}" if is_paused else "looks at once", as_json=as_json)


@sensors.command()
@click.argument("sensor")
@click.option("--reason", default="asked for", show_default=True, help="Why it is paused, for those who will ask.")
@as_json
@click.pass_obj
def pause(place: Path, sensor: str, reason: str, *, as_json: bool) -> None:
    """Have a sensor look no more. It stands where it is, over restarts too, until it is resumed: then it finds what came meanwhile."""
    found = ask_daemon(place, lambda client: client.pause_sensor(sensor, reason))
    _say(found, f"is paused: {_RESUME.format(found.sensor)}", as_json=as_json)


@sensors.command()
@click.argument("sensor")
@as_json
@click.pass_obj
def resume(place: Path, sensor: str, *, as_json: bool) -> None:
    """Let a paused sensor go on from where it stands."""
    _say(ask_daemon(place, lambda client: client.resume_sensor(sensor)), "goes on", as_json=as_json)


def _say(found: SensorEntry, said: str, *, as_json: bool) -> None:
    if as_json:
        output.print_json(found)
    else:
        click.echo(escapes.line(f"sensor {found.sensor} {said}"))


def _print(found: Sequence[SensorEntry]) -> None:
    rows = [
        (
            one.sensor,
            one.kind or "",
            output.state(one.state),
            times.instant(one.since),
            times.instant(one.looked_at),
            "" if one.last is None else times.instant(one.last.received_at),
            times.lag(one.lag),
            one.cursor or "",
            one.reason or "",
        )
        for one in found
    ]
    output.print_table(output.console(), ("sensor", "kind", "health", "since", "looked", "last event", "lag", "stands at", "reason"), rows)


def _print_one(console: Console, found: SensorDetail) -> None:
    one = found.sensor
    since = f"since {times.instant(one.since)}" if one.since is not None else "has never looked"
    console.print(output.sentence("sensor", output.text(one.sensor, "bold"), output.state(one.state), since))
    for name, said in _about(found):
        if said:
            console.print(output.sentence(f"  {name:<10}", said))
    _print_part(console, ("trigger", "pipeline", ""), [(one.trigger, one.pipeline, one.where or "") for one in found.triggers])
    _print_part(console, ("event", "type", "received", "lag", "decisions", "about"), list(map(_event, found.events)))


def _about(found: SensorDetail) -> list[tuple[str, str]]:
    one = found.sensor
    last = "" if one.last is None else f"event {ids.short(one.last.event)}, {times.instant(one.last.received_at)}"
    more = "more than " if found.has_more else ""
    return [
        ("reason", one.reason or ""),
        ("kind", one.kind or ""),
        ("shown as", found.shown or ""),
        ("where", found.where or ""),
        ("looks", "" if found.interval is None else f"every {durations.text(found.interval)} at the latest"),
        ("looked", times.instant(one.looked_at)),
        ("last", f"{last}, {times.lag(one.lag)} after it had happened" if last else ""),
        ("stands at", one.cursor or ""),
        ("carries", _carried(found)),
        ("identities", f"{more}{found.identities:,} kept"),
        ("next", ", ".join(map(times.instant, found.ticks))),
    ]


def _carried(found: SensorDetail) -> str:
    """Name the fields of the events' data."""
    schema = cast("dict[str, Any]", found.data or {})
    name, fields = str(schema.get("$ref", "")).rpartition("/")[2], schemas.properties(schema)
    if name and fields:
        return f"{name}: {', '.join(fields)}"
    return name or str(schema.get("type") or schema.get("description") or "")


def _event(event: EventEntry) -> tuple[object, ...]:
    return (
        ids.short(event.event),
        event.type,
        times.instant(event.received_at),
        times.lag(event.received_at - event.time),
        decided.decisions(event),
        decided.about(event),
    )


def _print_part(console: Console, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    if rows:
        console.print()
        output.print_table(console, columns, rows)


_RESUME = "`eventflow sensors resume {}` lets it go on"
