"""From a folder to a project: everything in it is imported, every mistake in it is found."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eventflow.config import FILE, TABLE, Settings, is_configured, load_settings
from eventflow.definition.pipelines import Pipeline
from eventflow.errors import ProjectError
from eventflow.journal.place import Place
from eventflow.ports import Sensor
from eventflow.project.contents import contents
from eventflow.project.mistakes import mistakes_in
from eventflow.project.modules import PIPELINES, import_all
from eventflow.triggers import Trigger


@dataclass(frozen=True, slots=True)
class Project:
    """A loaded project: its folder, its settings, and what its modules define."""

    root: Path
    settings: Settings
    pipelines: tuple[Pipeline[..., Any], ...]
    sensors: tuple[Sensor[Any], ...]
    triggers: tuple[Trigger[Any], ...]

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.root.name

    @property
    def summary(self) -> str:
        """What is in it, counted: `2 pipelines, 1 sensor, 1 trigger`."""
        counts = (("pipeline", self.pipelines), ("sensor", self.sensors), ("trigger", self.triggers))
        return ", ".join(f"{len(found)} {kind}{'' if len(found) == 1 else 's'}" for kind, found in counts)

    @property
    def state(self) -> Path:
        """The state folder."""
        return self.root / self.settings.state


def find(start: Path) -> Path:
    """Give the root of the project that a folder lies in: itself, or the nearest one above. Raises `ProjectError` where there is none."""
    here = Path(os.path.abspath(start))  # noqa: PTH100 - `resolve` would follow links, and the user's own names are what errors should show
    for folder in (here, *here.parents):
        if (folder / PIPELINES).is_dir() or is_configured(folder):
            return folder
    missing = f"neither it nor a folder above it has {PIPELINES}/, or [{TABLE}] in a {FILE}"
    raise ProjectError([f"{here} is no project, and lies in none: {missing}; `eventflow init FOLDER` makes a new project"])


def state_folder(place: Path) -> Path:
    """Give the state folder that is meant: the folder itself where it holds a journal, else that of the project which it lies in.

    Raises `ProjectError` where it lies in none.
    """
    if Place(place).journal.exists():
        return place
    root = find(place)
    return root / load_settings(root, os.environ).state


def load(root: Path, environment: Mapping[str, str] = os.environ) -> Project:
    """Import a project whose root is `root`, which stays first on `sys.path`. Code is loaded once in a process's life.

    While it is imported the root is the current folder, as it is in the daemon. Raises `ProjectError`, which holds every mistake found.
    """
    root = find(root)
    mistakes: list[str] = []
    settings = Settings()
    try:
        settings = load_settings(root, environment)
    except ProjectError as error:
        mistakes += error.mistakes
    with contextlib.chdir(root):
        modules = import_all(root, mistakes)
        found = contents(modules)
        mistakes += mistakes_in(found, settings.resources, is_whole=not mistakes)
    if mistakes:
        raise ProjectError(list(dict.fromkeys(mistakes)))
    return Project(
        root,
        settings,
        tuple(one.value for one in found.pipelines),
        tuple(one.value for one in found.sensors),
        tuple(one.value for one in found.triggers),
    )
