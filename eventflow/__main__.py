"""`python -m eventflow`."""

from __future__ import annotations

from eventflow.cli import main

main()
