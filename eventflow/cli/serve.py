"""`eventflow serve`: the daemon."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import anyio
import click

from eventflow import daemon
from eventflow.config import load_settings
from eventflow.project import find
from eventflow.server.app import create_app
from eventflow.system import SystemClock, spawn


@click.command()
@click.option("--reload", is_flag=True, help="Start the daemon anew whenever the project's code changes.")
@click.pass_obj
def serve(place: Path, *, reload: bool) -> int:
    """Run the daemon in the foreground: watch, fire, run, until it is asked to stop.

    SIGTERM, or Ctrl-C, lets what runs end; a second one shortens that. What had to be stopped goes on at the next start.
    """
    root = find(place)
    if not reload:
        daemon.main(root, create_app)
    command = [sys.executable, "-m", "eventflow", "--project", str(root), "serve"]
    return anyio.run(daemon.reload, root, root / load_settings(root, os.environ).state, command, spawn, SystemClock())
