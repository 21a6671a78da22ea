"""The project's code, for commands that need it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eventflow.definition.pipelines import Pipeline
from eventflow.errors import NotFound
from eventflow.project import Project, find, load


def find_pipeline(place: Path, name: str) -> Pipeline[..., Any]:
    """Load the project that a folder lies in, and give one of its pipelines. Raises `ProjectError`, `NotFound`."""
    return pipeline_of(load(find(place)), name)


def pipeline_of(project: Project, name: str) -> Pipeline[..., Any]:
    """Give one of a project's pipelines. Raises `NotFound`, naming those there are."""
    known = {pipeline.name: pipeline for pipeline in project.pipelines}
    if name not in known:
        raise NotFound(f"this project has no pipeline {name!r}: there is {', '.join(sorted(known)) or 'none'}")
    return known[name]
