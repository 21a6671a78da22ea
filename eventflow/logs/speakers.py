"""Whose words are heard: the attempt in whose body something is said."""

from __future__ import annotations

from eventflow.context import running
from eventflow.logs.lines import Attempt


def speaker() -> Attempt | None:
    """Give the attempt in whose body, in a coroutine or a thread, this is called; None outside any."""
    context = running.get()
    return None if context is None else Attempt(context.run, context.node, context.attempt)
