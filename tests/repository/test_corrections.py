"""Corrected labels: when they become a batch, and what is in it."""

from __future__ import annotations

import csv
import io
import sqlite3
from pathlib import Path

import pytest

from eventflow import RowSensor, RunFailed, Trigger, open_engine
from eventflow.projections import RunRow
from examples.digits import batch
from pipelines import batches
from pipelines.corrections import Correction, take_corrections
from sensors import corrections
from tests.sensors.files.sensing import until
from tests.sensors.outside import Book, outside, watch

TABLE = "CREATE TABLE corrections (id INTEGER PRIMARY KEY AUTOINCREMENT, pixels TEXT NOT NULL, label INTEGER NOT NULL)"


@pytest.fixture(autouse=True)
def incoming(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("pipelines.corrections.INCOMING", tmp_path / "incoming")
    return tmp_path / "incoming"


def corrected(first: int, last: int) -> list[tuple[str, int]]:
    rows = list(csv.reader(io.StringIO(batch(first, last))))[1:]
    return [(",".join(row[:-1]), int(row[-1])) for row in rows]


def write(path: Path, rows: list[tuple[str, int]]) -> None:
    database = sqlite3.connect(path)
    with database:
        database.executemany("INSERT INTO corrections (pixels, label) VALUES (?, ?)", rows)
    database.close()


def test_the_trigger_joins_the_table_and_the_batch() -> None:
    assert isinstance(corrections.corrections, RowSensor)
    assert isinstance(corrections.take_twenty, Trigger)
    assert (corrections.take_twenty.on, corrections.take_twenty.run) == (corrections.corrections, take_corrections)


async def test_before_there_is_a_file_the_sensor_waits_and_says_so(tmp_path: Path) -> None:
    book = Book()
    await watch(corrections.corrections, book, outside("corrections", root=tmp_path), lambda book: len(book.observations) == 1)
    assert "isn't there yet" in (book.observations[0].lagging or "")


async def test_twenty_corrections_become_one_batch_in_the_inbox(tmp_path: Path, incoming: Path) -> None:
    path = tmp_path / "labels.db"
    database = sqlite3.connect(path)
    database.execute(TABLE)
    database.close()
    sensor = RowSensor("corrections", path, "corrections", at_least=corrections.ENOUGH, every="50ms")
    trigger = Trigger("take", on=sensor, run=take_corrections, params=corrections.take_twenty.params)
    async with open_engine(tmp_path / "state", sensors=[sensor], triggers=[trigger]) as engine:
        write(path, corrected(0, 19))
        write(path, corrected(19, 20))
        (run,) = await until(lambda: engine.ports.journal.select(RunRow))
        await engine.result(run.run)
    (handed_in,) = incoming.iterdir()
    digits = batches.check(batches.read(handed_in))
    assert digits == batches.check(batches.parse(batch(0, 20).encode(), "digits"))


def test_the_same_corrections_make_the_same_file(incoming: Path) -> None:
    told = [Correction(number, pixels, label) for number, (pixels, label) in enumerate(corrected(0, 3))]
    assert take_corrections.run(corrections=told) == take_corrections.run(corrections=told)
    assert [path.suffix for path in incoming.iterdir()] == [".csv"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (Correction(7, "1,2,3", 4), "these corrections don't have 64 pixels: 7"),
        (Correction(8, ",".join(["1"] * 64), 11), "line 8: label is '11', not a digit"),
        (Correction(9, ",".join(["17"] * 64), 1), "line 9: pixel_00 is 17, not within 0 to 16"),
    ],
)
def test_what_is_no_digit_is_refused_by_its_row(wrong: Correction, said: str, incoming: Path) -> None:
    with pytest.raises(RunFailed, match=said):
        take_corrections.run(corrections=[wrong])
    assert not incoming.exists()
