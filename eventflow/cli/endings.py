"""How the command line ends: with 0, or with one plain message on stderr and the exit code that belongs to it.

64 usage, 1 a failed run, 74 to 78 what `errors.py` says of journals and projects, 130 Ctrl-C, 70 an error that nobody foresaw.
`EVENTFLOW_DEBUG=1` shows the traceback of an error.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable

import click

from eventflow import escapes
from eventflow.errors import EventflowError

USAGE, UNFORESEEN, INTERRUPTED, PIPE = 64, 70, 130, 141


def exit_code(command: Callable[[], object]) -> int:
    """Call a command and give the exit code. What it returns counts as one where it is a number."""
    try:
        code = command()
        sys.stdout.flush()  # here, where a reader that has gone away can still be caught
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        _leave_pipe()
        return PIPE
    except click.ClickException as error:
        return _usage(error)
    except EventflowError as error:
        return _failed(error, str(error), error.exit_code)
    except Exception as error:  # noqa: BLE001 - the outermost place: whatever it is, people get words
        said = f"{type(error).__name__}: {error}\nThis is a mistake in eventflow; EVENTFLOW_DEBUG=1 shows where it happened."
        return _failed(error, said, UNFORESEEN)
    return code if isinstance(code, int) else 0


def say(message: str) -> None:
    """Write a message to stderr, escaped."""
    click.echo(escapes.block(message), err=True)


def _failed(error: Exception, message: str, code: int) -> int:
    if os.environ.get("EVENTFLOW_DEBUG"):
        say("".join(traceback.format_exception(error)))
    say(message)
    return code


def _usage(error: click.ClickException) -> int:
    context = error.ctx if isinstance(error, click.UsageError) else None
    hint = f"\nTry `{context.command_path} --help`." if context is not None else ""
    say(error.format_message() + hint)
    return USAGE


def _leave_pipe() -> None:
    # Python flushes stdout once more at its end, and would complain.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
