"""What commands print: tables and lines for people, one JSON document for programs."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click
import msgspec
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.table import Table
from rich.text import Text

from eventflow import escapes, ids
from eventflow.server.answers import RunEntry

_WIDE = 10_000
"""Columns where nobody looks: a pipe gets whole lines."""

_STYLES = {
    "succeeded": "green",
    "fired": "green",
    "running": "cyan",
    "retrying": "yellow",
    "suspended": "blue",
    "held": "yellow",
    "lost": "yellow",
    "failed": "red",
    "refused": "red",
    "upstream_failed": "red",
    "cancelled": "magenta",
    "queued": "dim",
    "pending": "dim",
    "skipped": "dim",
    "reuse": "green",
    "rerun": "yellow",
    "new": "cyan",
    "healthy": "green",
    "lagging": "yellow",
    "degraded": "red",
    "paused": "yellow",
    "starting": "dim",
    "filtered": "dim",
}


class _Console(Console):
    def on_broken_pipe(self) -> None:
        raise BrokenPipeError  # rich would end the process; `endings` knows how


def console(*, err: bool = False) -> Console:
    """Give a console on stdout or stderr, which prints text as it stands."""
    stream = sys.stderr if err else sys.stdout
    return _Console(file=stream, highlight=False, markup=False, emoji=False, soft_wrap=True, width=None if stream.isatty() else _WIDE)


def text(words: object, style: str = "") -> Text:
    """Give something as one escaped line."""
    return Text(escapes.line(words), style)


def state(name: str) -> Text:
    """Give a state's name in its colour."""
    return text(name, _STYLES.get(name, ""))


def run_named(run: RunEntry) -> str:
    """Name a run as people see it, with its pipeline."""
    return f"run {ids.short(run.run)} of {run.pipeline}"


def sentence(*parts: object) -> Text:
    """Give parts as one line with spaces between them; what isn't styled already is escaped."""
    return Text(" ").join(part if isinstance(part, Text) else text(part) for part in parts if part != "")


def print_table(to: Console, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table, cut to the width of a terminal, whole anywhere else; what isn't styled already is escaped."""
    cells = [[cell if isinstance(cell, Text) else text(cell) for cell in row] for row in rows]
    if not to.is_terminal:
        _print_plain(to, [list(columns), *([cell.plain for cell in row] for row in cells)])
        return
    shown = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for column in columns:
        shown.add_column(column, overflow="ellipsis", no_wrap=True)
    for row in cells:
        shown.add_row(*row)
    to.print(shown)


def _print_plain(to: Console, rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        to.print("   ".join(set_cell_size(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip())


def print_json(answer: object) -> None:
    """Print an answer as one JSON document."""
    click.echo(pretty(msgspec.json.encode(answer)))


def pretty(raw: bytes) -> str:
    """Give JSON laid out for people, and harmless to their terminals."""
    return escapes.json(msgspec.json.format(raw, indent=2).decode())
