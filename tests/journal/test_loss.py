"""A journal that has lost something never says that all is well."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from eventflow import facts
from eventflow.errors import JournalDamaged, JournalError, JournalOwned, NotFound
from eventflow.journal import mark
from eventflow.journal.connection import connect
from eventflow.journal.mark import Level
from eventflow.journal.place import Place
from eventflow.journal.repair import repair
from eventflow.journal.sqlite import open_sqlite
from eventflow.journal.verify import verify
from eventflow.journal.view import read_sqlite
from tests.journal.histories import a_run, submitted, unit

RUNS = 20


@pytest.fixture
async def killed(tmp_path: Path, clock) -> Place:
    """What is on the disk after a `kill -9`: a main file, a log with everything since, and the mark."""
    source, image = Place(tmp_path / "live"), Place(tmp_path / "state")
    async with open_sqlite(source.folder, clock=clock) as journal:
        for n in range(RUNS):
            for each in a_run(f"run-{n}", "x", "y"):
                await journal.commit(each)
            if n == RUNS // 2:
                await journal._writer.checkpoints.make_last()
        image.folder.mkdir()
        for file in (source.journal, source.log, source.index, source.mark):
            shutil.copy(file, image.folder)
    return image


LAST = RUNS * 7


def digests(place: Place) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in (place.journal, place.log, place.mark) if file.exists()}


async def opened(place: Place, clock, notes=None, **options) -> int:
    async with open_sqlite(place.folder, clock=clock, instruments=[notes] if notes else [], **options) as journal:
        await journal.commit(unit(submitted("one more")))
        return journal.seq - 1


async def test_after_a_kill_everything_is_there(killed, clock, notes):
    assert await opened(killed, clock, notes) == LAST
    assert notes.troubles == []
    assert verify(killed.folder).problems == ()


async def test_the_logs_index_may_be_lost(killed, clock):
    killed.index.unlink()
    assert await opened(killed, clock) == LAST


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.9, 0.999])
async def test_a_shortened_log_is_noticed_with_both_places_named(killed, clock, part):
    with killed.log.open("r+b") as file:
        file.truncate(int(killed.log.stat().st_size * part))
    with pytest.raises(
        JournalDamaged, match=rf"ends at fact \d+, though it had come to fact {LAST}.*eventflow journal repair --accept-loss"
    ) as damaged:
        await opened(killed, clock)
    assert damaged.value.exit_code == 74


@pytest.mark.parametrize("part", [0.05, 0.3, 0.6, 0.95])
async def test_a_flipped_bit_in_the_log_is_noticed(killed, clock, part):
    # SQLite itself drops that page and all behind it, and calls the rest sound.
    with killed.log.open("r+b") as file:
        place = int(killed.log.stat().st_size * part)
        file.seek(place)
        old = file.read(1)[0]
        file.seek(place)
        file.write(bytes([old ^ 4]))
    with pytest.raises(JournalDamaged, match=f"had come to fact {LAST}"):
        await opened(killed, clock)


async def test_a_lost_log_is_noticed_by_who_only_reads_too(killed, clock):
    killed.log.unlink()
    with pytest.raises(JournalDamaged, match=f"had come to fact {LAST}"):
        async with read_sqlite(killed.folder, clock=clock):
            pass


async def test_a_lost_log_is_noticed(killed, clock):
    killed.log.unlink()
    with pytest.raises(JournalDamaged, match=f"had come to fact {LAST}"):
        await opened(killed, clock)


def remove(place: Place) -> None:
    for file in (place.journal, place.log, place.index):
        file.unlink()


def empty(place: Place) -> None:
    remove(place)
    place.journal.touch()


def zero_header(place: Place) -> None:
    place.log.unlink()
    with place.journal.open("r+b") as file:
        file.write(bytes(100))


def flip_page(place: Place) -> None:
    place.log.unlink()
    with place.journal.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(bytes(range(200)) * 10)


def shorten(place: Place) -> None:
    place.log.unlink()
    with place.journal.open("r+b") as file:
        file.truncate(4096 * 5)


def replace(place: Place) -> None:
    """Put another program's database there."""
    remove(place)
    with contextlib.closing(sqlite3.connect(place.journal)) as connection:
        connection.execute("CREATE TABLE t (x)")
        connection.commit()


DAMAGES: list[Callable[[Place], None]] = [remove, empty, zero_header, flip_page, shorten, replace]


@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_damaged_main_file_is_noticed_and_not_touched(killed, clock, damage):
    damage(killed)
    before = digests(killed)
    with pytest.raises(JournalDamaged, match="eventflow journal repair --accept-loss") as damaged:
        await opened(killed, clock)
    assert damaged.value.exit_code == 74
    assert digests(killed).items() >= before.items()
    if killed.journal.exists():
        assert not verify(killed.folder).ok


async def test_a_mark_that_is_missing_or_unreadable_is_a_warning(killed, clock, notes):
    killed.mark.write_bytes(b"eventflow 1 what 7 0000")
    assert await opened(killed, clock, notes) == LAST
    assert [place for place, _ in notes.troubles] == ["journal.open"]


async def test_the_mark_is_mended_at_the_next_start(killed, clock, notes):
    killed.mark.unlink()
    assert await opened(killed, clock, notes) == LAST
    known = mark.read(killed.mark)
    assert known is not None
    assert known.seq == LAST + 1
    assert len(notes.troubles) == 1


async def test_the_mark_of_another_journal_is_noticed(killed, clock):
    mark.create(killed.mark, Level("f" * 32, 3))
    with pytest.raises(JournalDamaged, match="another one than before, which had come to fact 3"):
        await opened(killed, clock)


async def test_a_relaxed_journal_goes_on_with_a_warning_that_names_the_loss(killed, clock, notes):
    killed.log.unlink()
    seq = await opened(killed, clock, notes, durability="relaxed")
    assert seq < LAST
    [(place, warning)] = notes.troubles
    assert place == "journal.open"
    assert f"ends at fact {seq}, though it had come to fact {LAST}: {LAST - seq} are lost" in str(warning)


async def test_the_mark_follows_each_commit_and_is_synced_within_a_second(tmp_path, clock, notes):
    async with open_sqlite(tmp_path, clock=clock, instruments=[notes]) as journal:
        for n in range(1, 4):
            await journal.commit(unit(submitted(f"run-{n}")))
            known = mark.read(Place(tmp_path).mark)
            assert known is not None
            assert known.seq == n
        await clock.until_waiting(2)
        assert "journal.mark.before" not in notes.points
        await clock.advance(1)
        await clock.until_waiting(1)
        assert notes.points.count("journal.mark.before") == 1


@pytest.mark.parametrize("damage", [zero_header, Path.unlink])
async def test_a_repair_keeps_all_that_can_be_read(killed, clock, damage):
    damage(killed if damage is zero_header else killed.log)
    before = digests(killed)
    done = repair(killed.folder, accept_loss=True, clock=clock)
    assert 7 * RUNS // 2 <= done.kept < LAST
    assert done.kept + (done.lost or 0) == LAST
    assert done.aside is not None
    assert digests(Place(done.aside)) == before
    assert verify(killed.folder).problems == ()
    assert await opened(killed, clock) == done.kept


async def test_a_repair_of_a_whole_journal_loses_nothing(killed, clock):
    async with open_sqlite(killed.folder, clock=clock) as journal:
        records = await journal.records(0, limit=9999)
    assert repair(killed.folder, accept_loss=True, clock=clock).lost == 0
    async with open_sqlite(killed.folder, clock=clock) as journal:
        assert await journal.records(0, limit=9999) == records
    assert verify(killed.folder).ok


@pytest.mark.parametrize("damage", DAMAGES)
async def test_after_a_repair_any_journal_is_sound(killed, clock, damage):
    damage(killed)
    done = repair(killed.folder, accept_loss=True, clock=clock)
    assert done.lost == LAST - done.kept
    assert verify(killed.folder).problems == ()
    assert await opened(killed, clock) == done.kept


async def test_a_repair_stops_before_a_fact_that_is_not_legal(killed, clock):
    with contextlib.closing(connect(killed.journal)) as connection:
        connection.execute("UPDATE facts SET body = ? WHERE seq = 10", (facts.encode(facts.RunReleased("run-1")),))
        connection.execute("DELETE FROM facts WHERE seq = 30")
    assert verify(killed.folder).problems == ("fact 10 is not legal: RunReleased can't follow on 'running', only on held",)
    done = repair(killed.folder, accept_loss=True, clock=clock)
    assert (done.kept, done.lost) == (9, LAST - 9)
    assert done.reason is not None
    assert "fact 10" in done.reason
    assert await opened(killed, clock) == 9


@pytest.mark.parametrize("exists", ["mark", "swapped"])
async def test_an_interrupted_repair_is_finished_by_the_next(killed, clock, exists):
    async with open_sqlite(killed.folder, clock=clock) as journal:
        records = await journal.records(0, limit=9999)
    # As if the process had died when the new journal was whole, before or after the old one's log was removed.
    shutil.copy(killed.journal, killed.repaired)
    if exists == "swapped":
        mark.create(killed.mark, Level("f" * 32, 0))
        killed.journal.unlink()
    with pytest.raises(JournalDamaged, match="interrupted"):
        await opened(killed, clock)
    done = repair(killed.folder, accept_loss=True, clock=clock)
    assert (done.kept, done.lost, done.aside) == (LAST, None, None)
    async with open_sqlite(killed.folder, clock=clock) as journal:
        assert await journal.records(0, limit=9999) == records


async def test_a_repair_must_be_wanted_possible_and_alone(killed, clock, tmp_path):
    with pytest.raises(JournalError, match="--accept-loss"):
        repair(killed.folder, accept_loss=False, clock=clock)
    with pytest.raises(NotFound):
        repair(tmp_path / "nowhere", accept_loss=True, clock=clock)
    async with open_sqlite(killed.folder, clock=clock):
        with pytest.raises(JournalOwned):
            repair(killed.folder, accept_loss=True, clock=clock)
        assert verify(killed.folder).ok


@pytest.mark.parametrize(
    ("tampering", "problem"),
    [
        ("UPDATE runs SET state = 'failed' WHERE run = 'run-3'", r"1 rows of runs are not what the facts say; first \('run-3',\)"),
        ("DELETE FROM nodes WHERE run = 'run-3'", "2 rows of nodes are not what the facts say"),
        ("INSERT INTO cursors VALUES ('x', 1, 1)", "1 rows of cursors are not what the facts say"),
        ("DELETE FROM facts WHERE seq = 5", "fact 5 is missing: the next one is 6"),
        ("DELETE FROM facts WHERE seq > 100", f"facts 101 to {LAST} are lost"),
        ("UPDATE facts SET body = x'7b7d' WHERE seq = 8", "no fact behind 7 can be read"),
    ],
)
async def test_verify_finds_what_was_tampered_with(killed, tampering, problem):
    with contextlib.closing(connect(killed.journal)) as connection:
        connection.execute(tampering)
    problems = "\n".join(verify(killed.folder).problems)
    assert problem.replace("\\", "") in problems


async def test_verify_tells_where_it_stands(killed):
    report = verify(killed.folder)
    assert (report.ok, report.seq, report.mark) == (True, LAST, LAST)


def test_verify_of_nothing_says_so(tmp_path):
    with pytest.raises(NotFound, match="no journal"):
        verify(tmp_path / "nowhere")


@pytest.mark.parametrize("text", [b"", b"\0" * 128, b"eventflow 1 abc 12 wrong".ljust(128), b"\xff\xfe"])
def test_a_mark_that_cannot_be_understood_is_none(tmp_path, text):
    (tmp_path / "mark").write_bytes(text)
    assert mark.read(tmp_path / "mark") is None


def test_a_mark_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "mark"
    mark.create(path, Level("a" * 32, 7))
    assert mark.read(path) == ("a" * 32, 7)
    writing = mark.Mark(path, "a" * 32)
    for seq in (8, 10**15, 9):
        writing.write(seq)
        assert mark.read(path) == ("a" * 32, seq)
    writing.close()
