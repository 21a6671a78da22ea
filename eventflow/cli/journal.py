"""`eventflow journal`: look after the journal."""

from __future__ import annotations

from pathlib import Path

import click

from eventflow import escapes
from eventflow.cli import output
from eventflow.cli.options import as_json
from eventflow.errors import JournalDamaged
from eventflow.journal.repair import Repair
from eventflow.journal.repair import repair as repair_journal
from eventflow.journal.verify import verify as verify_journal
from eventflow.project import state_folder
from eventflow.system import SystemClock


@click.group()
def journal() -> None:
    """Verify or repair the journal."""


@journal.command()
@as_json
@click.pass_obj
def verify(place: Path, *, as_json: bool) -> int:
    """Check the journal from end to end. Changes nothing; a daemon may be at work. The exit code is 74 if something is wrong."""
    report = verify_journal(state_folder(place))
    if as_json:
        output.print_json(
            {
                "folder": escapes.line(report.folder),
                "seq": report.seq,
                "mark": report.mark,
                "problems": list(map(escapes.line, report.problems)),
            }
        )
    else:
        click.echo("\n".join(map(escapes.line, report.problems or [f"{report.seq} facts, and nothing wrong with them"])))
    return 0 if report.ok else JournalDamaged.exit_code


@journal.command()
@click.option("--accept-loss", is_flag=True, help="Agree that what can't be read is lost.")
@as_json
@click.pass_obj
def repair(place: Path, *, accept_loss: bool, as_json: bool) -> None:
    """Make a damaged journal usable again, from the longest sound beginning of its facts. The damaged files are kept aside."""
    done = repair_journal(state_folder(place), accept_loss=accept_loss, clock=SystemClock())
    if as_json:
        aside = None if done.aside is None else escapes.line(done.aside)
        output.print_json({"kept": done.kept, "lost": done.lost, "reason": done.reason, "aside": aside})
    else:
        click.echo("\n".join(map(escapes.line, _told(done))))


def _told(done: Repair) -> list[str]:
    lost = "nobody knows how many are lost" if done.lost is None else f"{done.lost} are known to be lost"
    said = [f"{done.kept} facts are kept; {lost}"]
    if done.reason is not None:
        said.append(f"no more could be kept: {done.reason}")
    if done.aside is not None:
        said.append(f"the damaged files are in {done.aside}")
    return said
