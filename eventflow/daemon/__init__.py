"""The daemon: a project, its engine and sensors, and its HTTP API on a Unix socket, as one process with one way out."""

from __future__ import annotations

from eventflow.daemon.process import main
from eventflow.daemon.reload import reload

__all__ = ["main", "reload"]
