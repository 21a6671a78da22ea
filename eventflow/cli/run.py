"""`eventflow run`: a pipeline here and now."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path

import click

from eventflow import codec, embed
from eventflow.cli import endings, output
from eventflow.cli.loading import pipeline_of
from eventflow.cli.options import parameters
from eventflow.cli.progress import RunProgress
from eventflow.definition.pipelines import Call
from eventflow.errors import ValueNotStorable
from eventflow.project import find, load


@click.command()
@click.argument("pipeline")
@parameters
@click.pass_obj
def run(place: Path, pipeline: str, texts: dict[str, str]) -> None:
    """Run a pipeline here and now: no daemon, no journal, no trace left.

    Progress, and what tasks print, goes to stderr; the result is printed as JSON. The exit code is 1 if the run failed.
    """
    project = load(find(place))
    found = pipeline_of(project, pipeline)
    call = Call(found, found.parameters.encode(found.parameters.parse(texts)))
    with redirect_stdout(sys.stderr):  # so that stdout holds the result alone
        result = embed.run(call, resources=project.settings.resources, instruments=[RunProgress()])
    click.echo(_shown(result))


def _shown(result: object) -> str:
    try:
        raw = codec.canonical(result)
    except (ValueNotStorable, TypeError, ValueError):
        endings.say(f"JSON can't carry the result, which is of type {type(result).__qualname__}: this is how Python writes it")
        raw = codec.canonical(repr(result))
    return output.pretty(raw)
