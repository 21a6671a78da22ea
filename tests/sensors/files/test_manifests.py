"""Manifests: what they may say, and when what they name is complete."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from eventflow.sensors.files.listing import Listed, listed
from eventflow.sensors.files.sensor import FileSensor, Manifest
from tests.sensors.files.sensing import Book, Sensing, sensing


def nothing(_: bytes) -> bool:
    return False


def sensor_of(inbox: Path, match: str = "*.csv") -> FileSensor:
    return FileSensor("files", inbox, match=match, recursive=True, ready=Manifest("*.manifest"))


async def fired(sensor: Sensing, *names: str) -> None:
    """Return once these have fired, and nothing else: digests are worked out beside, in real time."""
    await sensor.told()
    while len(sensor.book.names) < len(names):
        await sensor.after(1)
    assert sorted(sensor.book.names) == sorted(names)


@pytest.mark.parametrize(
    ("text", "files"),
    [
        (b"a.csv\nb.csv\n", {b"a.csv": Listed(), b"b.csv": Listed()}),
        (b"a.csv 12\r\nb c.csv\t7", {b"a.csv": Listed(12), b"b c.csv": Listed(7)}),
        (b"./a.csv\n./sub//b.csv\n\n", {b"a.csv": Listed(), b"sub/b.csv": Listed()}),
        (b"\xff\xfe\n", {b"\xff\xfe": Listed()}),
        (b"d41d8cd98f00b204e9800998ecf8427e *a b.csv", {b"a b.csv": Listed(None, "d41d8cd98f00b204e9800998ecf8427e", ("md5",))}),
        (b"\\D41D8CD98F00B204E9800998ECF8427E  a\\nb\\\\c", {b"a\nb\\c": Listed(None, "d41d8cd98f00b204e9800998ecf8427e", ("md5",))}),
        (b"deadbeef  a", {b"deadbeef  a": Listed()}),
    ],
)
def test_a_line_is_a_name_a_name_with_its_size_or_a_digest_with_a_name(text: bytes, files: dict[bytes, Listed]) -> None:
    assert listed(text, nothing) == files


def test_a_name_that_ends_with_digits_is_a_name_where_such_a_file_is_there() -> None:
    there: Callable[[bytes], bool] = b"part 7".__eq__
    assert listed(b"part 7\nother 8", there) == {b"part 7": Listed(), b"other": Listed(8)}


@pytest.mark.parametrize("text", [b"", b"\n \n", b"/etc/passwd", b"../a", b"a/../../b", b"a\0b", b"d41d8cd98f00b204e9800998ecf8427e  ../a"])
def test_a_manifest_that_names_nothing_or_leads_out_of_its_folder_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"names no file|leads out of its folder"):
        listed(text, nothing)


async def test_what_a_manifest_names_fires_when_all_of_it_is_there(inbox: Path) -> None:
    async with sensing(sensor_of(inbox)) as sensor:
        (inbox / "b.csv").write_text("b")
        (inbox / "unnamed.csv").write_text("c")
        (inbox / "day.manifest").write_text("a.csv\nb.csv\n")
        assert await sensor.told() == []
        assert await sensor.after(2) == []
        (inbox / "a.csv").write_text("a")
        assert await sensor.told() == []
        assert sorted(await sensor.after(2)) == ["a.csv", "b.csv"]
        assert sorted(await sensor.after(100)) == ["a.csv", "b.csv"]


async def test_a_manifest_that_is_still_being_written_is_waited_for(inbox: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (inbox / name).write_text("x")
    async with sensing(sensor_of(inbox)) as sensor:
        (inbox / "day.manifest").write_text("a.csv\n")
        assert await sensor.told() == []
        with (inbox / "day.manifest").open("a") as manifest:
            manifest.write("b.csv\n")
        assert await sensor.told() == []
        assert sorted(await sensor.after(2)) == ["a.csv", "b.csv"]


async def test_sizes_must_fit(inbox: Path) -> None:
    (inbox / "a.csv").write_text("half")
    (inbox / "day.manifest").write_text("a.csv 8\n")
    async with sensing(sensor_of(inbox)) as sensor:
        assert await sensor.after(2) == []
        (inbox / "a.csv").write_text("complete")
        await sensor.told()
        assert await sensor.after(2) == ["a.csv"]


@pytest.mark.parametrize("tool", ["md5sum", "sha1sum", "sha256sum", "sha512sum", "b2sum"])
async def test_digests_by_the_usual_tools_must_fit(inbox: Path, tool: str) -> None:
    (inbox / "sub").mkdir()
    (inbox / "sub" / "a\nb.csv").write_text("one")
    (inbox / "c d.csv").write_text("two")
    process = subprocess.run([tool, "sub/a\nb.csv", "./c d.csv"], cwd=inbox, check=True, capture_output=True)  # noqa: ASYNC221
    (inbox / "day.manifest").write_bytes(process.stdout)
    (inbox / "c d.csv").write_text("six")
    async with sensing(sensor_of(inbox)) as sensor:
        for _ in range(5):
            assert await sensor.after(1) == []
        (inbox / "c d.csv").write_text("two")
        await fired(sensor, "a\nb.csv", "c d.csv")


async def test_a_digest_of_ours_fits_too(inbox: Path) -> None:
    (inbox / "a.csv").write_text("one")
    (inbox / "day.manifest").write_text(f"{hashlib.blake2b(b'one', digest_size=32).hexdigest()}  a.csv")
    async with sensing(sensor_of(inbox)) as sensor:
        await fired(sensor, "a.csv")


async def test_files_that_the_sensor_does_not_look_for_must_be_there_as_well(inbox: Path) -> None:
    (inbox / "a.csv").write_text("one")
    (inbox / "day.manifest").write_text("a.csv\nnotes.txt 5\n")
    async with sensing(sensor_of(inbox)) as sensor:
        assert await sensor.after(2) == []
        (inbox / "notes.txt").write_text("notes")
        await fired(sensor, "a.csv")


async def test_a_manifest_that_was_complete_stays_so_when_its_first_files_are_moved_away(inbox: Path) -> None:
    names = [f"{number:04}.csv" for number in range(1100)]
    for name in names:
        (inbox / name).write_text("x")
        os.utime(inbox / name, ns=(1, 1))
    (inbox / "day.manifest").write_text("\n".join(names))
    book = Book()
    book.commits_left = 2
    async with sensing(sensor_of(inbox), book) as sensor:
        await sensor.after(2)
    assert book.names == names[:500]
    (inbox / names[0]).unlink()
    book.commits_left = None
    async with sensing(sensor_of(inbox), book) as sensor:
        await sensor.after(2)
        assert book.names == names
        (inbox / "day.manifest").unlink()
        await sensor.told()
        assert book.gone == 2
        (inbox / "0001.csv").write_text("a later version, which no manifest names")
        await sensor.told()
        assert await sensor.after(2) == names


async def test_a_manifest_that_makes_no_sense_is_said_once_and_holds_up_no_other(inbox: Path) -> None:
    (inbox / "a.csv").write_text("one")
    (inbox / "bad.manifest").write_text("../../etc/passwd")
    (inbox / "good.manifest").write_text("a.csv")
    async with sensing(sensor_of(inbox)) as sensor:
        await fired(sensor, "a.csv")
        await sensor.after(60)
        [told] = sensor.troubles.told
        assert "bad.manifest can't be used: names b'../../etc/passwd', which leads out of its folder" in told


async def test_a_manifest_in_a_subfolder_names_what_lies_there(inbox: Path) -> None:
    for folder in (inbox / "x", inbox / "y"):
        folder.mkdir()
        (folder / "a.csv").write_text(folder.name)
    (inbox / "y" / "y.manifest").write_text("a.csv")
    async with sensing(sensor_of(inbox, "**/*.csv")) as sensor:
        await sensor.after(60)
        assert [event.data.path.parent.name for event in sensor.book.events] == ["y"]
