"""The quiet inbox: when people are reminded, and of what."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from eventflow import AbsenceSensor
from eventflow.testing import VirtualClock
from pipelines import reminders
from sensors import quiet
from sensors.inbox import inbox
from tests.engine.sources import decisions, runs, supervised
from tests.engine.world import World, until_true
from tests.sensors.schedules.ticking import at

NINE = datetime.fromisoformat("2026-11-20T09:00:00+00:00")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(reminders, "REMINDERS", tmp_path / "reminders")
    return tmp_path / "reminders"


def test_the_trigger_joins_the_quiet_inbox_and_the_reminder() -> None:
    assert isinstance(quiet.no_batch, AbsenceSensor)
    assert quiet.remind_of_batch.on is quiet.no_batch
    assert quiet.remind_of_batch.run is reminders.remind
    assert repr(quiet.no_batch) == f"<AbsenceSensor 'no-batch': of {inbox.name}, by 0 9 * * mon-fri, UTC>"


@pytest.mark.parametrize(("last", "said"), [(None, "none has ever come"), (NINE - timedelta(days=2), "came on 2026-11-18 at 09:00")])
def test_a_reminder_says_since_when_nothing_came_and_is_written_once(folder: Path, last: datetime | None, said: str) -> None:
    for _ in range(2):
        reminders.remind.run(of="inbox", since=NINE - timedelta(days=1), until=NINE, last_at=last)
    [note] = folder.iterdir()
    assert note.name == "2026-11-20.txt"
    assert note.read_text().startswith("Nothing came into the inbox from 2026-11-19 09:00 to 2026-11-20 09:00: ")
    assert said in note.read_text()


async def test_on_a_working_day_without_a_batch_there_is_a_reminder_after_nine(folder: Path) -> None:
    world = World(clock=VirtualClock(at("2026-11-20T08:59:00")))
    async with world.engine(reminders.remind) as engine, supervised(engine, [quiet.no_batch], [quiet.remind_of_batch]):
        await world.clock.until_waiting()
        await world.clock.advance(180)

        async def reminded() -> bool:
            return [run.state for run in await runs(world)] == ["succeeded"]

        await until_true(reminded, world.journal)
    assert await decisions(world) == [("remind-of-batch", "fired")]
    assert (folder / "2026-11-20.txt").exists()
