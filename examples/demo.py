"""The demo (`make demo`): a daemon on this repository's own project, batches that come one after the other, and a kill -9 on purpose.

It ends by itself in under two minutes. What it leaves behind can be looked at with the commands that it names at the end; what was there
before is moved to `data/earlier/`.
"""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from subprocess import STDOUT

import anyio
from anyio.abc import Process
from digits import batch, put
from narrator import Narrator, Retraining
from rich.console import Console
from rich.table import Table

from eventflow.client import Client, NoDaemon

ROOT = Path(__file__).parents[1]
DATA = ROOT / "data"
INCOMING = DATA / "incoming"
STATE = ROOT / ".eventflow"
DAEMON_LOG = DATA / "daemon.log"
PACE = 0.25
PATIENCE = 110


@dataclass(frozen=True)
class Act:
    """One thing that happens: digits `first` to `last` are dropped as `file`, spoilt or not, and how its retraining should end."""

    title: str
    file: str
    first: int
    last: int
    ending: str
    spoil: str = "nothing"

    def drop(self) -> None:
        """Put the file into the inbox."""
        put(batch(self.first, self.last, self.spoil), INCOMING / self.file)


FIRST = Act("A first batch of 150 digits: there is no champion yet", "first.csv", 0, 150, "deployed")
BROKEN = Act("A batch with holes: NaN, words and missing cells", "holes.csv", 500, 700, "failed", "cells")
KILLED = Act("350 more digits, and a kill -9 in the middle of the training", "more.csv", 150, 500, "deployed")
WRONG = Act(
    "A batch that is well-formed, but every label is wrong, dropped while the daemon is dead", "wrong.csv", 700, 900, "kept", "labels"
)
LAST = Act("500 more good ones", "last.csv", 900, 1400, "deployed")


class Demo:
    """The daemon as a process, and ears for its facts."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.narrator = Narrator(console.print)
        self._process: Process | None = None
        self._heard = anyio.Event()

    def title(self, text: str) -> None:
        """Announce what comes next."""
        self.console.print(f"\n[bold]{text}[/]")

    async def start(self) -> None:
        """Start the daemon, as a person would: `eventflow serve` in the project's folder."""
        with DAEMON_LOG.open("ab") as log:
            command = [sys.executable, "-m", "eventflow", "serve"]
            env = {**os.environ, "RETRAIN_PACE": str(PACE)}
            self._process = await anyio.open_process(command, cwd=ROOT, env=env, stdin=None, stdout=log, stderr=STDOUT)
        self.console.print(f"[dim]$ eventflow serve[/]   [dim](pid {self._process.pid})[/]")

    async def kill(self) -> None:
        """Give the daemon no chance to say goodbye."""
        if self._process is not None:
            self.console.print(f"[bold red]$ kill -9 {self._process.pid}[/]")
            self._process.kill()
            await self._process.wait()

    async def stop(self) -> int:
        """Ask the daemon to end, and give its exit code."""
        if self._process is None:
            return 0
        with suppress(ProcessLookupError):
            self._process.terminate()
        return await self._process.wait()

    async def listen(self) -> None:
        """Hear every fact once, in its order, over all lives of the daemon."""
        seq = 0
        while True:
            try:
                async with Client(ROOT) as client:
                    async for record in client.follow(after=seq):
                        self.narrator.hear(record)
                        seq = record.seq
                        self._heard.set()
                        self._heard = anyio.Event()
            except NoDaemon:  # it has just been killed, or is still starting
                await anyio.sleep(0.1)

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait until what was heard makes something true."""
        while not true():
            await self._heard.wait()

    async def ending(self, act: Act) -> None:
        """Wait until an act's retraining has ended. Raises `SystemExit` if it ended otherwise than it should."""
        await self.until(lambda: bool(self.retraining(act).ending))
        ending = self.retraining(act).ending
        if ending != act.ending:
            raise SystemExit(f"{act.file} should have been {act.ending}, and was {ending}: {DAEMON_LOG} may say why")

    async def epoch(self, act: Act, epoch: int) -> None:
        """Wait until an act's training has reached an epoch."""
        await self.until(lambda: self.retraining(act).epoch >= epoch)

    def retraining(self, act: Act) -> Retraining:
        """Give what is known of an act's run so far."""
        return self.narrator.of(act.file) or Retraining("", act.file, 0)


@asynccontextmanager
async def daemon(demo: Demo) -> AsyncGenerator[None]:
    """Have a daemon, whose facts are heard, and none afterwards."""
    async with anyio.create_task_group() as tasks:
        await demo.start()
        tasks.start_soon(demo.listen)
        try:
            yield
        finally:
            with anyio.CancelScope(shield=True):
                code = await demo.stop()
            tasks.cancel_scope.cancel()
    demo.console.print(f"\n[dim]$ kill -TERM: the daemon has ended in order, with exit code {code}[/]")


async def play(demo: Demo) -> None:
    """Play all acts."""
    for act in (FIRST, BROKEN):
        demo.title(act.title)
        act.drop()
        await demo.ending(act)
    demo.title(KILLED.title)
    KILLED.drop()
    await demo.epoch(KILLED, 9)
    await demo.kill()
    demo.title(WRONG.title)
    WRONG.drop()
    await demo.start()
    await demo.ending(KILLED)
    await demo.ending(WRONG)
    demo.title(LAST.title)
    LAST.drop()
    await demo.ending(LAST)


def make_room(console: Console) -> None:
    """Move what an earlier demo left aside: nothing of it is lost, and the story begins with no champion."""
    there = [path for path in (STATE, *DATA.glob("*")) if path.exists() and path.name != "earlier"]
    INCOMING.parent.mkdir(exist_ok=True)
    if there:
        earlier = DATA / "earlier" / datetime.now().astimezone().strftime("%Y-%m-%dT%H-%M-%S")
        earlier.mkdir(parents=True)
        for path in there:
            path.rename(earlier / path.name)
        console.print(f"[dim]what was there before is now in {earlier.relative_to(ROOT)}[/]")
    INCOMING.mkdir()


def summary(demo: Demo) -> None:
    """Show how each batch ended, and how to look further."""
    table = Table("batch", "run", "new model", "champion then", "ending", "champion from then on", box=None, padding=(0, 3, 0, 0))
    for one in demo.narrator.retrainings:
        table.add_row(one.file, one.run[-8:], _share(one.accuracy), _share(one.champion), one.ending, one.version or "the same")
    demo.title("What became of each batch")
    demo.console.print(table)
    refused, killed = (demo.retraining(act).run[-8:] for act in (BROKEN, KILLED))
    demo.title("Look further")
    for command, what in (
        ("runs", "all runs"),
        (f"why {refused}/validate", "why a batch was refused"),
        (f"show {killed}", "the run that was killed: two attempts at train, one result"),
        (f"logs {killed} train", "its epochs, before the kill and after"),
        ("graph retrain", "the pipeline"),
        ("serve", "go on; in another terminal: .venv/bin/python examples/digits.py data/incoming/mine.csv --rows 1400:1797"),
    ):
        demo.console.print(f"  .venv/bin/eventflow {command:<24}[dim]{what}[/]", soft_wrap=True)


async def alone() -> None:
    """Make sure that no daemon is at work on this project. Raises `SystemExit` if one is."""
    with suppress(NoDaemon):
        async with Client(ROOT):
            raise SystemExit("a daemon is running on this project: stop it first, the demo starts its own")


async def main() -> None:
    """Play the whole demo."""
    console = Console(highlight=False, soft_wrap=True)
    await alone()
    make_room(console)
    demo = Demo(console)
    try:
        with anyio.fail_after(PATIENCE):
            async with daemon(demo):
                await play(demo)
    except TimeoutError:
        raise SystemExit(f"the demo isn't done after {PATIENCE} seconds: {DAEMON_LOG} may say why") from None
    summary(demo)


def _share(accuracy: float | None) -> str:
    return "-" if accuracy is None else f"{accuracy:.1%}"


if __name__ == "__main__":
    ArgumentParser(description=__doc__).parse_args()
    with suppress(KeyboardInterrupt):
        anyio.run(main)
