"""`eventflow graph`: a pipeline drawn."""

from __future__ import annotations

from pathlib import Path

import click

from eventflow.cli import drawing, output
from eventflow.cli.loading import find_pipeline
from eventflow.server.views import pipelines


@click.command()
@click.argument("pipeline")
@click.option("--format", "shape", type=click.Choice(["text", "mermaid", "json"]), default="text", show_default=True)
@click.option("--json", "shape", flag_value="json", help="The same as --format json.")
@click.pass_obj
def graph(place: Path, pipeline: str, shape: str) -> None:
    """Draw a pipeline of the project, as its code is now."""
    found = find_pipeline(place, pipeline)
    if shape == "json":
        output.print_json(pipelines.detail(found))
    elif shape == "mermaid":
        click.echo(drawing.mermaid(found.definition.graph))
    else:
        click.echo(drawing.text(found.definition.graph, found.parameters.annotations))
