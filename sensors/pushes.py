"""Pushes: every push to this repository that touches the project has it checked, once, however often GitHub tells of it.

In the repository's settings on GitHub: a webhook with content type `application/json`, the event `push`, and a secret, which the daemon
finds in its environment as `PUSHES_SECRET`. GitHub must reach `/hooks/pushes`, which the daemon serves on its socket: put a proxy in front.
"""

from __future__ import annotations

import os
import secrets

import msgspec

from eventflow import Event, Secret, Trigger, WebhookSensor
from pipelines.pushed import pushed

SECRET = Secret(os.environ.get("PUSHES_SECRET") or secrets.token_urlsafe(32))  # where none is set nobody knows it: the hook is closed
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


def concerns_us(event: Event[Push]) -> bool:
    """Tell whether a push leaves something behind, and touches the project."""
    touched = [path for commit in event.data.commits for path in (*commit.added, *commit.modified, *commit.removed)]
    return event.data.after != GONE and any(path.startswith(OURS) for path in touched)


pushes = WebhookSensor("pushes", secrets=SECRET, scheme="github", schema=Push, largest="25MB")

check_on_push = Trigger("check-on-push", on=pushes, run=pushed, where=concerns_us, params=lambda event: {"commit": event.data.after})
