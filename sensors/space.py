"""Space: when the disk under this project gets nearly full, somebody should know what fills it. A sensor of our own, by `@sensor`.

It fires once when less than `SPACE_LEAST_GB` are free (2, unless the environment says otherwise), and again only after there was clearly
more room in between.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator

import msgspec

from eventflow import Observation, Trigger, World, sensor
from pipelines.space import ROOT, look_for_space

LEAST = float(os.environ.get("SPACE_LEAST_GB", "2")) * 1e9
ENOUGH = 1.25 * LEAST


class Space(msgspec.Struct, frozen=True):
    """How many bytes of a disk are free for us, and how many there are."""

    free: int
    total: int


class Shortage(msgspec.Struct, frozen=True):
    """The cursor: how many shortages there have been, and whether the last one is still going on."""

    number: int = 0
    lasts: bool = False

    def after(self, free: int) -> Shortage:
        """Give where things stand when so many bytes are free."""
        if self.lasts:
            return Shortage(self.number, lasts=free < ENOUGH)
        return Shortage(self.number + 1, lasts=True) if free < LEAST else self


@sensor(interval="10m")
async def space(cursor: object, world: World) -> AsyncIterator[Observation[Space]]:
    """Look once a minute."""
    before = Shortage() if cursor is None else msgspec.convert(cursor, Shortage)
    while True:
        disk = await asyncio.to_thread(shutil.disk_usage, ROOT)
        now = before.after(disk.free)
        begun = now.number > before.number
        events = (world.event(f"shortage-{now.number}", Space(disk.free, disk.total)),) if begun else ()
        yield Observation(events=events, cursor=msgspec.to_builtins(now))
        before = now
        await world.clock.sleep(60)


look_on_shortage = Trigger("look-for-space", on=space, run=look_for_space)
