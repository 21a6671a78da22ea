"""`eventflow init`: a new project that serves at once."""

from __future__ import annotations

import os
import re
from pathlib import Path

import click

from eventflow import escapes
from eventflow.cli.starter import FILES
from eventflow.errors import EventflowError


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
def init(folder: Path) -> None:
    """Make a new project in FOLDER, which must be empty or not be there: a pipeline, a sensor, and the trigger between them."""
    if os.path.lexists(folder) and not (folder.is_dir() and not any(folder.iterdir())):
        raise click.ClickException(f"{folder} is there and isn't an empty folder: nothing was changed; name another one")
    try:
        _write(folder)
    except OSError as error:
        raise EventflowError(f"{error.filename or folder} can't be written: {error.strerror}") from error
    click.echo(escapes.block(_NEXT.format(folder=folder)))


def _write(folder: Path) -> None:
    (folder / "incoming").mkdir(parents=True)
    for name, content in FILES.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content.replace("{name}", _distribution(folder)), encoding="utf-8")


def _distribution(folder: Path) -> str:
    """Make a name that may stand in pyproject.toml."""
    return re.sub(r"[^a-z0-9]+", "-", Path(os.path.abspath(folder)).name.lower()).strip("-") or "project"  # noqa: PTH100 - follows no links


_NEXT = """A new project is in {folder}. Go there, and:

  eventflow serve                             # watches incoming/
  echo "so much to say" > incoming/note.txt   # in another terminal
  eventflow runs

  eventflow run count -p path=pyproject.toml  # here and now, without a daemon"""
