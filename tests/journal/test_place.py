"""Where a journal may live, and who may write it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from eventflow.errors import JournalDenied, JournalError, JournalMisplaced, JournalOwned
from eventflow.journal import lock
from eventflow.journal.place import Place, take_place
from eventflow.journal.preparation import check_library
from eventflow.journal.sqlite import open_sqlite
from tests.journal.histories import submitted, unit

SECOND = """
import asyncio, os, sys
from pathlib import Path
from eventflow.errors import JournalError
from eventflow.journal.sqlite import open_sqlite
from eventflow.system import SystemClock

async def main():
    async with open_sqlite(Path(sys.argv[1]), clock=SystemClock()):
        pass

if len(sys.argv) > 2:  # as somebody else: once all is imported, for the interpreter may be out of his reach
    os.setgroups([])
    os.setgid(int(sys.argv[2]))
    os.setuid(int(sys.argv[2]))
try:
    asyncio.run(main())
except JournalError as error:
    print(error)
    sys.exit(error.exit_code)
"""


def second_process(folder: Path, *command: str, user: int | None = None) -> tuple[int, str]:
    program = [sys.executable, "-c", SECOND, str(folder), *([] if user is None else [str(user)])]
    done = subprocess.run([*command, *program], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout


async def test_a_second_process_is_told_who_owns_the_journal(tmp_path, clock):
    async with open_sqlite(tmp_path, clock=clock) as journal:
        code, told = second_process(tmp_path)
        assert code == 75
        assert f"process {os.getpid()} on {os.uname().nodename}, since 2023-11-14T22:13:20+00:00" in told
        assert await journal.commit(unit(submitted("a"))) == 1
    assert second_process(tmp_path) == (0, "")


async def test_a_second_opening_in_the_same_process_is_refused_too(tmp_path, clock):
    async with open_sqlite(tmp_path, clock=clock):
        with pytest.raises(JournalOwned, match=f"process {os.getpid()}"):
            async with open_sqlite(tmp_path, clock=clock):
                pass


@pytest.mark.parametrize("text", [b"", b"garbage\n", json.dumps({"pid": 1, "host": "elsewhere", "since": "2020"}).encode()])
async def test_the_lock_decides_not_its_text(tmp_path, clock, text):
    place = Place(tmp_path)
    place.lock.write_bytes(text)
    async with open_sqlite(tmp_path, clock=clock):
        assert json.loads(place.lock.read_bytes())["pid"] == os.getpid()
        place.lock.write_bytes(text)
        with pytest.raises(JournalOwned, match=r"owned by (another process|process 1 on elsewhere)"):
            lock.take(place, 0)


async def test_a_child_does_not_keep_the_lock(tmp_path, clock):
    async with open_sqlite(tmp_path, clock=clock):
        child = await asyncio.create_subprocess_exec("cat", stdin=subprocess.PIPE, close_fds=False)
    try:
        async with open_sqlite(tmp_path, clock=clock):
            pass
    finally:
        await child.communicate(b"")


def test_a_forked_child_does_not_keep_the_lock(tmp_path):
    place = take_place(tmp_path)
    held = lock.take(place, 0)
    begun, go_on = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.write(begun[1], b".")
        os.read(go_on[0], 1)
        os._exit(0)
    try:
        os.read(begun[0], 1)
        with pytest.raises(JournalOwned):
            lock.take(place, 0)  # the child has let go of its own hold alone
        held.release()
        lock.take(place, 0).release()
    finally:
        os.write(go_on[1], b".")
        os.waitpid(child, 0)


def test_a_file_in_the_folders_place_is_named(tmp_path):
    (tmp_path / "state").touch()
    with pytest.raises(JournalDenied, match=str(tmp_path / "state")):
        take_place(tmp_path / "state")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")
@pytest.mark.parametrize("path", ["state", "state/journal.db", "state/journal.lock"])
async def test_what_this_user_may_not_write_is_named_with_exit_code_77(clock, path):
    with tempfile.TemporaryDirectory() as above:
        Path(above).chmod(0o711)
        folder = Path(above, "state")
        async with open_sqlite(folder, clock=clock):
            pass
        for file in (folder, *folder.iterdir()):
            os.chown(file, 65534, 65534)
        assert second_process(folder, user=65534) == (0, "")
        os.chown(Path(above, path), 0, 0)
        code, told = second_process(folder, user=65534)
        assert code == 77
        assert str(Path(above, path)) in told


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount")
async def test_a_read_only_mount_is_named_with_exit_code_77(tmp_path, clock):
    folder = tmp_path / "state"
    async with open_sqlite(folder, clock=clock):
        pass
    mounting = f'mount --bind "{folder}" "{folder}" && mount -o remount,ro,bind "{folder}" && exec "$@"'
    code, told = second_process(folder, "unshare", "--mount", "sh", "-c", mounting, "sh")
    assert code == 77
    assert str(folder) in told


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "fuse", "ceph"])
def test_a_folder_on_a_network_is_refused_unless_forced(tmp_path, kind):
    mounts = tmp_path / "mounts"
    mounts.write_text(f"22 1 8:1 / / rw - {kind} host:/x rw\n")
    with pytest.raises(JournalMisplaced, match=f"on a {kind.replace('.', '[.]')} file system") as misplaced:
        take_place(tmp_path / "state", mounts=mounts)
    assert misplaced.value.exit_code == 78
    assert take_place(tmp_path / "state", mounts=mounts, anywhere=True).folder == tmp_path / "state"


def test_where_the_system_does_not_tell_a_folder_is_taken(tmp_path):
    assert take_place(tmp_path, mounts=tmp_path / "nothing").folder == tmp_path


@pytest.mark.parametrize(("version", "threads"), [((3, 36, 0), 3), ((3, 51, 3), 0)])
def test_a_library_that_is_too_old_or_has_no_threads_is_refused(version, threads):
    with pytest.raises(JournalError, match=r"needs 3[.]37"):
        check_library(version, threads=threads)


def test_an_older_library_is_only_noted(caplog):
    caplog.set_level("DEBUG")
    check_library((3, 37, 0), threads=1)
    check_library((3, 51, 3), threads=3)
    assert [record.levelname for record in caplog.records] == ["DEBUG"]
