"""A project: a folder with `pipelines/` and `sensors/`, found, loaded and checked."""

from __future__ import annotations

from eventflow.project.loading import Project, find, load, state_folder

__all__ = ["Project", "find", "load", "state_folder"]
