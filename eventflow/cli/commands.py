"""`eventflow COMMAND`: the commands by name. The module of each is imported when it is asked for, so that every one of them starts fast."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

import click

from eventflow.cli.endings import exit_code

COMMANDS: Mapping[str, str] = {
    "serve": "Run the daemon: watch, fire, run, until it is asked to stop.",
    "runs": "List runs, the newest first.",
    "show": "Show a run with its nodes.",
    "logs": "Show what a run's tasks printed and logged.",
    "why": "Explain an event, a run or a node.",
    "sensors": "List the sensors, show, poke, pause or resume one.",
    "events": "List events with what was decided, or publish one.",
    "cancel": "Have a run cancelled, or one node of it.",
    "pause": "Have a run start nothing more, or keep a pipeline's runs in the queue.",
    "unpause": "Let a paused run or pipeline go on.",
    "waiting": "List what runs wait for.",
    "answer": "Answer what a node asks.",
    "rerun": "Make a run again, with what still holds of it.",
    "resolve": "Decide about a held run.",
    "deploy-plan": "Tell what a restart with the code on disk would do with each open run.",
    "run": "Run a pipeline here and now, leaving no trace.",
    "submit": "Have the daemon run a pipeline, durably.",
    "graph": "Draw a pipeline.",
    "check": "Load the project, report every mistake in it, and try its sensors.",
    "init": "Make a new project.",
    "journal": "Verify or repair the journal.",
}
"""Each command with what it does. It is the object of its own name in the module of that name, with `_` for `-`."""


class Commands(click.Group):
    """A group that imports a command when it is asked for, and ends as `endings` says: with words and an exit code, never a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        name = cmd_name.replace("-", "_")
        return getattr(import_module(f"eventflow.cli.{name}"), name) if cmd_name in COMMANDS else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def main(self, *args: Any, **kwargs: Any) -> NoReturn:
        kwargs["standalone_mode"] = False
        sys.exit(exit_code(lambda: super(Commands, self).main(*args, **kwargs)))


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:  # noqa: FBT001 - click calls it so
    if wanted:
        click.echo(f"eventflow {version('eventflow')}")
        ctx.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.option(
    "--project",
    type=click.Path(path_type=Path),
    default=".",
    envvar="EVENTFLOW_PROJECT",
    help="The project's folder, or one inside it; without this the current folder.",
)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Print the version.")
@click.pass_context
def eventflow(ctx: click.Context, project: Path) -> None:
    """Event-driven workflows on one machine: sensors fire pipelines, every fact is journaled."""
    ctx.obj = project


def main() -> NoReturn:
    """Do what the command line asks for, and end the process."""
    eventflow.main(prog_name="eventflow")
