"""A sensor and a watcher in a process of their own, to be stopped and starved: tells how many files have fired, whenever that has grown.

Options: the folder, how many files to wait for.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import aclosing
from pathlib import Path

from eventflow.ports import Instrument
from eventflow.sensors.files.sensor import FileSensor
from eventflow.sensors.watching import FolderWatcher
from eventflow.system import SystemClock
from tests.sensors.outside import Book, outside


class Said(Instrument):
    def troubled(self, place: str, error: BaseException) -> None:
        sys.stdout.write(f"troubled {place}: {error}\n")
        sys.stdout.flush()


async def main(folder: Path, count: int) -> None:
    clock, book = SystemClock(), Book()
    async with FolderWatcher(clock, Said()) as watcher:
        world = outside("files", clock=clock, watcher=watcher, instrument=Said())
        async with aclosing(FileSensor("files", folder, ready="atomic", rescan="7d").observe(None, book, world)) as observations:
            async for observation in observations:
                book.commit(observation)
                sys.stdout.write(f"fired {len(book.events)}\n")
                sys.stdout.flush()
                if len(book.events) >= count:
                    assert len(set(book.ids)) == count
                    return


asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
