from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from eventflow import address
from eventflow.errors import JournalDamaged, JournalDenied, JournalFull


@pytest.fixture
def state(tmp_path: Path) -> Path:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    return state


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder whose path is short, which pytest's own is not."""
    with TemporaryDirectory(prefix="ev", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture
def base(short: Path) -> Path:
    base = short / "run"
    base.mkdir(mode=0o700)
    return base


def published(state: Path, base: Path) -> Path:
    return address.publish(state, {"XDG_RUNTIME_DIR": str(base)})


def test_the_state_folder_says_where_the_socket_is(state: Path, base: Path) -> None:
    path = published(state, base)
    assert path.is_relative_to(base)
    assert address.find_socket(state) == path
    assert (state / "socket").stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_state_folder_without_a_daemon_has_no_socket(state: Path) -> None:
    assert address.find_socket(state) is None
    assert address.find_socket(state / "missing") is None


def test_the_same_state_folder_has_the_same_socket_and_another_another(state: Path, base: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    assert published(state, base) == published(state, base)
    assert published(other, base) != published(state, base)


def test_what_a_killed_daemon_left_is_removed(state: Path, base: Path) -> None:
    path = published(state, base)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    assert path.exists()
    assert published(state, base) == path
    assert not path.exists()


def test_withdrawing_leaves_nothing(state: Path, base: Path) -> None:
    path = published(state, base)
    path.touch()
    address.withdraw(state, path)
    assert list(base.iterdir()) == []
    assert list(state.iterdir()) == []
    address.withdraw(state, path)


def test_a_path_too_long_for_a_socket_is_passed_over(state: Path, base: Path) -> None:
    deep = base / ("d" * 100)
    deep.mkdir(mode=0o700)
    path = address.publish(state, {"RUNTIME_DIRECTORY": str(deep), "XDG_RUNTIME_DIR": str(base)})
    assert path.parent.parent == base
    assert len(bytes(path)) <= address.LONGEST


def test_the_folder_that_systemd_gives_is_taken_first(state: Path, base: Path, short: Path) -> None:
    given = short / "given"
    given.mkdir(mode=0o755)
    environment = {"RUNTIME_DIRECTORY": f"{given}:/elsewhere", "XDG_RUNTIME_DIR": str(base)}
    assert address.publish(state, environment).parent.parent == given


def test_a_folder_that_others_can_change_is_passed_over(state: Path, base: Path, short: Path) -> None:
    open_to_all = short / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    environment = {"RUNTIME_DIRECTORY": str(open_to_all), "XDG_RUNTIME_DIR": str(base)}
    assert address.publish(state, environment).parent.parent == base


def open_it(folder: Path) -> None:
    folder.chmod(0o755)


def make_it_a_link(folder: Path) -> None:
    folder.rmdir()
    folder.symlink_to("/")


@pytest.mark.parametrize("spoil", [open_it, make_it_a_link])
def test_a_folder_that_is_not_private_is_never_used(state: Path, base: Path, monkeypatch: pytest.MonkeyPatch, spoil) -> None:
    monkeypatch.setattr(address, "_bases", lambda _: iter([base]))
    folder = published(state, base).parent
    spoil(folder)
    with pytest.raises(JournalDenied, match="is no private folder of user"):
        published(state, base)


def test_the_pointer_carries_any_path(tmp_path: Path, base: Path) -> None:
    odd = base / os.fsdecode(b"\xff\n ")
    odd.mkdir(mode=0o700)
    state = tmp_path / "state"
    state.mkdir()
    path = published(state, odd)
    assert address.find_socket(state) == path


def test_a_folder_in_the_place_of_the_file_is_named(state: Path, base: Path) -> None:
    (state / "socket").mkdir()
    with pytest.raises(JournalDamaged, match=f"{state / 'socket'}.*: Is a directory"):
        published(state, base)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount")
def test_a_full_disk_is_said_to_be_full(state: Path, base: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k,mode=700", "none", state], check=True)
    try:
        with contextlib.suppress(OSError):
            (state / "much").write_bytes(bytes(32 * 1024))
        with pytest.raises(JournalFull, match="no space is left"):
            published(state, base)
    finally:
        subprocess.run(["umount", state], check=True)
