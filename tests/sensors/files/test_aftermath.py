"""What becomes of files after their runs, on real engines: the journal is on disk, the runs are real."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from eventflow import Engine, Trigger, open_engine, pipeline, task
from eventflow.errors import SensorError
from eventflow.projections import RunRow, SensorRow
from eventflow.sensors.files.sensor import Delete, FileSensor, Marker, Move
from tests.sensors.files.sensing import until
from tests.sensors.outside import Troubles, outside


@task
def read(path: Path) -> str:
    text = path.read_text()
    if text == "bad":
        raise ValueError(text)
    return text


@pipeline
def load(path: Path) -> str:
    return read(path)


@pipeline
def load_too(path: Path) -> str:
    return read(path)


@task
async def sit(path: Path) -> str:
    await asyncio.sleep(3600)
    return str(path)


@pipeline
def long(path: Path) -> str:
    return sit(path)


@pytest.fixture
def inbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def sensor(**options: object) -> FileSensor:
    return FileSensor("files", "in", **{"ready": "atomic", "match": "*.csv", "rescan": "100ms", **options})  # type: ignore[arg-type]


@asynccontextmanager
async def at_work(watching: FileSensor, *triggers: Trigger[object], troubles: Troubles | None = None) -> AsyncGenerator[Engine]:
    pipelines = [trigger.run for trigger in triggers]
    instruments = [troubles] if troubles else []
    async with open_engine(
        "state", pipelines=pipelines, sensors=[watching], triggers=triggers, drain="0s", instruments=instruments
    ) as engine:
        yield engine


def loading(watching: FileSensor) -> Trigger[object]:
    return Trigger("load", on=watching, run=load)


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()) if folder.exists() else []


async def test_a_file_is_moved_by_how_its_run_ended(inbox: Path, tmp_path: Path) -> None:
    watching = sensor(after=Move("done/"), failed=Move("failed/"))
    (inbox / "good.csv").write_text("good")
    (inbox / "bad.csv").write_text("bad")
    async with at_work(watching, loading(watching)):
        await until(lambda: not names(inbox))
    assert names(tmp_path / "done") == ["good.csv"]
    assert names(tmp_path / "failed") == ["bad.csv"]


async def test_a_file_is_deleted_once_all_its_runs_succeeded(inbox: Path) -> None:
    watching = sensor(after=Delete())
    (inbox / "good.csv").write_text("good")
    async with at_work(watching, loading(watching), Trigger("too", on=watching, run=load_too)) as engine:
        await until(lambda: not names(inbox))
        assert [row.state for row in await engine.ports.journal.select(RunRow)] == ["succeeded"] * 2


async def test_one_failed_run_among_several_is_a_failure(inbox: Path, tmp_path: Path) -> None:
    @task
    def refuse(path: Path) -> None:
        raise OSError(path)

    @pipeline
    def refusing(path: Path) -> None:
        return refuse(path)

    watching = sensor(after=Delete(), failed=Move("failed"))
    (inbox / "a.csv").write_text("good")
    async with at_work(watching, loading(watching), Trigger("refuse", on=watching, run=refusing)):
        await until(lambda: names(tmp_path / "failed") == ["a.csv"])


async def test_a_cancelled_run_is_a_failure_and_a_waiting_one_keeps_its_file(inbox: Path, tmp_path: Path) -> None:
    watching = sensor(after=Delete(), failed=Move("failed"))
    (inbox / "a.csv").write_text("good")
    async with at_work(watching, loading(watching), Trigger("long", on=watching, run=long)) as engine:
        rows = await until(lambda: engine.ports.journal.select(RunRow, pipeline="load", state="succeeded"))
        assert len(rows) == 1
        (inbox / "b.csv").write_text("b")  # when this one has gone, the aftermath has looked at the other
        [other, short] = await until(lambda: both(engine))
        await engine.cancel(short.run)
        await until(lambda: names(tmp_path / "failed") == ["b.csv"])
        assert names(inbox) == ["a.csv"]
        await engine.cancel(other.run)
        await until(lambda: names(tmp_path / "failed") == ["a.csv", "b.csv"])


async def both(engine: Engine) -> list[RunRow] | None:
    rows = await engine.ports.journal.select(RunRow, pipeline="long", order="seq")
    return rows if len(rows) == 2 else None


async def test_a_refused_event_is_a_failure_and_a_filtered_one_leaves_its_file(inbox: Path, tmp_path: Path) -> None:
    def where(event: object) -> bool:
        if "odd" in str(event):
            raise ValueError("odd")
        return False

    watching = sensor(after=Delete(), failed=Move("failed"))
    for name in ("odd.csv", "plain.csv"):
        (inbox / name).write_text("x")
    async with at_work(watching, Trigger("picky", on=watching, run=load, where=where)):
        await until(lambda: names(tmp_path / "failed") == ["odd.csv"])
    assert names(inbox) == ["plain.csv"]


async def test_without_triggers_every_file_is_left(inbox: Path) -> None:
    watching = sensor(after=Delete(), failed=Delete())
    (inbox / "a.csv").write_text("x")
    async with at_work(watching) as engine:
        await until(lambda: engine.ports.journal.select(SensorRow, state="healthy"))
    assert names(inbox) == ["a.csv"]


async def test_what_is_there_already_is_never_written_over(inbox: Path, tmp_path: Path) -> None:
    (tmp_path / "done").mkdir()
    (tmp_path / "done" / "a.tar.csv").write_text("old")
    watching = sensor(after=Move("done"))
    async with at_work(watching, loading(watching)):
        for number in (1, 2):
            (tmp_path / "new").write_text(f"new {number}")
            (tmp_path / "new").rename(inbox / "a.tar.csv")
            await until(lambda number=number: len(names(tmp_path / "done")) == 1 + number and not names(inbox))  # type: ignore[misc]
    assert {path.name: path.read_text() for path in (tmp_path / "done").iterdir()} == {
        "a.tar.csv": "old",
        "a-1.tar.csv": "new 1",
        "a-2.tar.csv": "new 2",
    }


async def test_a_file_of_a_subfolder_keeps_it(inbox: Path, tmp_path: Path) -> None:
    (inbox / "deep" / "er").mkdir(parents=True)
    (inbox / "deep" / "er" / "a.csv").write_text("x")
    watching = sensor(after=Move("done"), recursive=True)
    async with at_work(watching, loading(watching)):
        await until(lambda: names(tmp_path / "done") == ["deep/er/a.csv"])


async def test_files_cross_over_to_another_file_system_with_their_time_and_content(inbox: Path, tmp_path: Path, elsewhere: Path) -> None:
    (inbox / "a.csv").write_text("x" * 3_000_000)
    os.utime(inbox / "a.csv", ns=(10**18, 10**18 + 1))
    watching = sensor(after=Move(elsewhere))
    async with at_work(watching, loading(watching)):
        await until(lambda: not names(inbox) and names(elsewhere) == ["a.csv"])
    assert (elsewhere / "a.csv").read_text() == "x" * 3_000_000
    assert (elsewhere / "a.csv").stat().st_mtime_ns == 10**18 + 1


async def test_a_file_that_has_changed_since_its_event_is_left_and_fires_again(inbox: Path, tmp_path: Path) -> None:
    @task
    def rewrite(path: Path) -> None:
        if path.read_text() == "one":
            path.write_text("two")

    @pipeline
    def rewriting(path: Path) -> None:
        return rewrite(path)

    watching = sensor(after=Move("done"))
    (inbox / "a.csv").write_text("one")
    async with at_work(watching, Trigger("rewrite", on=watching, run=rewriting)) as engine:
        await until(lambda: names(tmp_path / "done") == ["a.csv"])
        assert len(await engine.ports.journal.select(RunRow)) == 2
    assert (tmp_path / "done" / "a.csv").read_text() == "two"


@pytest.mark.parametrize("identity", ["path", "content"])
async def test_with_other_identities_too_only_the_file_that_fired_goes(inbox: Path, tmp_path: Path, identity: str) -> None:
    watching = sensor(after=Move("done"), identity=identity)
    (inbox / "a.csv").write_text("x")
    os.utime(inbox / "a.csv", ns=(5, 5))
    (inbox / "b.csv").write_text("x")
    async with at_work(watching, loading(watching)):
        await until(lambda: names(inbox) == (["b.csv"] if identity == "content" else []))
    async with at_work(watching, loading(watching)):
        (inbox / "c.csv").write_text("y")
        await until(lambda: "c.csv" in names(tmp_path / "done"))
    assert names(inbox) == (["b.csv"] if identity == "content" else [])


async def test_by_path_too_a_file_that_has_changed_since_its_event_is_left(inbox: Path, tmp_path: Path) -> None:
    left = sensor(identity="path")
    (inbox / "a.csv").write_text("x")
    async with at_work(left, loading(left)) as engine:
        await until(lambda: engine.ports.journal.select(RunRow, state="succeeded"))
    (inbox / "a.csv").write_text("another")
    moved = sensor(identity="path", after=Move("done"))
    async with at_work(moved, loading(moved)):
        (inbox / "b.csv").write_text("y")
        await until(lambda: names(tmp_path / "done") == ["b.csv"])
    assert names(inbox) == ["a.csv"]


async def test_a_marker_goes_with_its_file(inbox: Path, tmp_path: Path) -> None:
    watching = sensor(ready=Marker(".done"), after=Move("kept"), failed=Delete())
    for name, text in (("good.csv", "good"), ("bad.csv", "bad")):
        (inbox / name).write_text(text)
        (inbox / f"{name}.done").touch()
    async with at_work(watching, loading(watching)):
        await until(lambda: not names(inbox))
    assert names(tmp_path / "kept") == ["good.csv", "good.csv.done"]


async def test_runs_that_ended_while_nobody_looked_count_at_the_next_start(inbox: Path, tmp_path: Path) -> None:
    left = sensor()
    (inbox / "a.csv").write_text("x")
    async with at_work(left, loading(left)) as engine:
        await until(lambda: engine.ports.journal.select(RunRow, state="succeeded"))
    moved = sensor(after=Move("done"))
    async with at_work(moved, loading(moved)) as engine:
        await until(lambda: names(tmp_path / "done") == ["a.csv"])
        assert len(await engine.ports.journal.select(RunRow)) == 1


async def test_what_can_not_be_moved_is_told_and_moved_as_soon_as_it_can_be(inbox: Path, tmp_path: Path) -> None:
    (tmp_path / "done").write_text("a file where the folder should be")
    (inbox / "a.csv").write_text("x")
    watching, troubles = sensor(after=Move("done")), Troubles()
    async with at_work(watching, loading(watching), troubles=troubles) as engine:
        await until(lambda: engine.ports.journal.select(SensorRow, state="lagging"))
        [row] = await engine.ports.journal.select(SensorRow)
        assert row.reason is not None
        assert f"{tmp_path}/done: File exists" in row.reason
        (tmp_path / "done").unlink()
        await until(lambda: names(tmp_path / "done") == ["a.csv"])
        await until(lambda: engine.ports.journal.select(SensorRow, state="healthy"))
    assert len(troubles.told) == 1


async def test_a_target_that_is_a_link_into_the_watched_folder_degrades_the_sensor(inbox: Path, tmp_path: Path) -> None:
    (tmp_path / "done").symlink_to("in")
    watching = sensor(after=Move("done"))
    with pytest.raises(SensorError, match="there the files would fire again"):
        await watching.check(outside("files", root=tmp_path))
    (inbox / "a.csv").write_text("x")
    async with at_work(watching, loading(watching)) as engine:
        await until(lambda: engine.ports.journal.select(SensorRow, state="degraded"))
    assert names(inbox) == ["a.csv"]
