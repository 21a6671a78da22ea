"""The command line."""

from __future__ import annotations

from eventflow.cli.commands import main

__all__ = ["main"]
