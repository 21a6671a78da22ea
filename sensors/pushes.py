"""Pushes: every push to this repository that touches the project has it checked, once, however often GitHub tells of it.

In the repository's settings on GitHub: a webhook with content type `application/json`, the event `push`, and the secret that lies in
`data/pushes.secret`. GitHub must reach `/hooks/pushes`, which the daemon serves on its socket: put a proxy in front of it.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

import msgspec

from eventflow import Event, Secret, Trigger, WebhookSensor
from pipelines.pushed import ROOT, pushed

OURS = ("eventflow/", "pipelines/", "sensors/", "pyproject.toml")
GONE = "0" * 40
"""The commit that GitHub names where a branch was deleted."""


class Commit(msgspec.Struct):
    """What one commit of a push touches: paths in the repository."""

    added: list[str] = []
    modified: list[str] = []
    removed: list[str] = []


class Push(msgspec.Struct):
    """What GitHub tells of a push, as far as it is of use here."""

    ref: str
    after: str
    commits: list[Commit] = []


def secret_in(path: Path) -> Secret:
    """Give the secret that a file holds; at the first time one is made. Where it can't be kept nobody knows it, and the hook is closed."""
    made = secrets.token_urlsafe(32)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _write_once(path, made)
        return Secret.of_file(path)
    return Secret(made)


def concerns_us(event: Event[Push]) -> bool:
    """Tell whether a push leaves something behind, and touches the project."""
    touched = [path for commit in event.data.commits for path in (*commit.added, *commit.modified, *commit.removed)]
    return event.data.after != GONE and any(path.startswith(OURS) for path in touched)


def _write_once(path: Path, text: str) -> None:
    aside = path.with_name(f".{path.name}-{os.getpid()}")
    aside.touch(mode=0o600)
    try:
        aside.write_text(text + "\n", encoding="ascii")
        with suppress(FileExistsError):  # another process was first
            os.link(aside, path)
    finally:
        aside.unlink()


pushes = WebhookSensor("pushes", secrets=secret_in(ROOT / "data" / "pushes.secret"), scheme="github", schema=Push, largest="25MB")

check_on_push = Trigger("check-on-push", on=pushes, run=pushed, where=concerns_us, params=lambda event: {"commit": event.data.after})
