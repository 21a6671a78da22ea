"""docs/cli.md lists the commands that there are, and every command line that the pages show is one that can be typed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import msgspec
import pytest

from eventflow import errors
from eventflow.cli import endings
from eventflow.cli.commands import COMMANDS, eventflow
from eventflow.config import Settings

ROOT = Path(__file__).parents[2]
CLI = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md")])
SHELL = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINES = sorted({line for page in PAGES for block in SHELL.findall(page.read_text("utf-8")) for line in block.splitlines()})


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("eventflow ")])
def test_a_command_line_that_is_shown_can_be_typed(line: str) -> None:
    parse(eventflow, shlex.split(line, comments=True)[1:])


def test_a_command_line_that_is_wrong_is_found() -> None:
    with pytest.raises(click.UsageError):
        parse(eventflow, ["runs", "--nonsense"])
    with pytest.raises(click.UsageError):
        parse(eventflow, ["nonsense"])


def test_all_commands_are_listed() -> None:
    assert set(re.findall(r"^\| `eventflow ([\w-]+)", CLI, re.MULTILINE)) == set(COMMANDS)


def test_all_exit_codes_are_listed() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.EventflowError)]
    codes = {0, endings.USAGE, endings.UNFORESEEN, endings.INTERRUPTED, endings.PIPE, *(kind.exit_code for kind in kinds)}
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", CLI, re.MULTILINE)} == codes


def test_the_settings_that_are_shown_are_the_defaults() -> None:
    plain = CLI.partition("[tool.eventflow.resources]")[0]  # what is in there is the project's own
    shown = dict(re.findall(r'^(\w+) = "?([^" ]+)"? +#', plain, re.MULTILINE))
    tables = {"logs", "resources"}
    defaults = {field.name: str(field.default) for field in msgspec.structs.fields(Settings) if field.name not in tables}
    assert {name: value.capitalize() if value == "true" else value for name, value in shown.items()} == defaults


def parse(command: click.Command, words: list[str]) -> None:
    """Parse a command line as far as its last command, and call nothing."""
    context = command.make_context(command.name, list(words), resilient_parsing=False)
    if isinstance(command, click.Group):
        rest = [*context._protected_args, *context.args]
        if not rest and command.invoke_without_command:
            return
        name, inner, others = command.resolve_command(context, rest)
        assert inner is not None, name
        parse(inner, others)
