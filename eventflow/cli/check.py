"""`eventflow check`: every mistake in the project at once."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path

import click

from eventflow import escapes
from eventflow.cli import output
from eventflow.cli.options import as_json
from eventflow.errors import ProjectError
from eventflow.project import find, load


@click.command()
@as_json
@click.pass_obj
def check(place: Path, *, as_json: bool) -> int:
    """Load the project and report every mistake in it, with file and line. The exit code is 78 if there is one."""
    mistakes: list[str] = []
    said = ""
    with redirect_stdout(sys.stderr):  # what modules print while they are imported
        try:
            said = f"{load(find(place)).summary}: no mistakes"
        except ProjectError as error:
            mistakes = error.mistakes
    if as_json:
        output.print_json({"mistakes": list(map(escapes.block, mistakes))})
    else:
        click.echo("\n".join(map(escapes.block, mistakes)) if mistakes else escapes.line(said))
    return ProjectError.exit_code if mistakes else 0
