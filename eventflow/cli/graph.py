"""`eventflow graph`: a pipeline drawn."""

from __future__ import annotations

from pathlib import Path

import click

from eventflow.cli import output
from eventflow.cli.loading import find_pipeline
from eventflow.drawing.mermaid import mermaid
from eventflow.drawing.svg import svg
from eventflow.drawing.text import text
from eventflow.server.views import pipelines


@click.command()
@click.argument("pipeline")
@click.option("--format", "shape", type=click.Choice(["text", "mermaid", "svg", "json"]), default="text", show_default=True)
@click.option("--json", "shape", flag_value="json", help="The same as --format json.")
@click.pass_obj
def graph(place: Path, pipeline: str, shape: str) -> None:
    """Draw a pipeline of the project, as its code is now."""
    found = find_pipeline(place, pipeline)
    drawn, annotations = found.definition.graph, found.parameters.annotations
    if shape == "json":
        output.print_json(pipelines.detail(found))
    elif shape == "mermaid":
        click.echo(mermaid(drawn))
    elif shape == "svg":
        click.echo(svg(drawn, annotations), nl=False)
    else:
        click.echo(text(drawn, annotations))
