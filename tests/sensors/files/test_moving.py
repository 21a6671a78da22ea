"""Taking files away, crashed at every step: on real disks, where a step is a call of the operating system."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eventflow.errors import FileChanged
from eventflow.sensors.files import jobs, moving
from eventflow.sensors.files.jobs import Job
from eventflow.sensors.files.scan import ASIDE
from eventflow.sensors.files.versions import FileVersion

EVENT = "0190-event"
STEPS = ("rename", "link", "unlink", "fsync", "mkdir", "open")


class Died(BaseException):
    """The process died."""


class Process:
    """Dies right before its nth step, if it comes to that."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left: int | None = None
        for step in STEPS:
            monkeypatch.setattr(os, step, self._counted(getattr(os, step)))

    def _counted(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any, **kwargs: Any) -> Any:
            if self.left is not None:
                self.left -= 1
                if self.left < 0:
                    raise Died
            return real(*args, **kwargs)

        return step


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def job(path: Path, target: Path | None, marker: str = "") -> Job:
    return Job(EVENT, path, moving.as_it_is(path), target, Path("sub"), marker)


def start_anew(told: FileVersion, target: Path | None, marker: str = "") -> None:
    """What the next start does about what was left aside."""
    for aside in [path for path in told.path.parent.iterdir() if path.name.startswith(ASIDE)]:
        assert jobs.event_of(aside) == EVENT
        jobs.finish(aside, told, None, marker)
    for aside in jobs.left_aside([target] if target else []):
        assert jobs.event_of(aside) == EVENT
        assert target is not None
        jobs.finish(aside, told, target / "sub", marker)


def everything(*folders: Path) -> dict[str, str]:
    return {path.name: path.read_text() for folder in folders for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("what", ["move", "delete", "cross over"])
def test_a_crash_at_any_step_loses_nothing_and_doubles_nothing(
    inbox: Path, tmp_path: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    process = Process(monkeypatch)
    target = {"move": tmp_path / "done", "delete": None, "cross over": elsewhere / "done"}[what]
    steps = 0
    while crashed(process, steps, inbox, target):
        assert everything(inbox) == {}
        if target is not None:
            assert everything(target) == {f"{steps}.csv": f"content {steps}", f"{steps}.csv.ok": "ok"}
            empty(target)
        steps += 1
    assert steps > 3


@pytest.mark.parametrize("what", ["move", "cross over"])
def test_without_links_a_crash_leaves_an_empty_file_at_most(
    inbox: Path, tmp_path: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(os, "link", _no_links)
    process = Process(monkeypatch)
    target = {"move": tmp_path / "done", "cross over": elsewhere / "done"}[what]
    steps = 0
    while crashed(process, steps, inbox, target):
        assert everything(inbox) == {}
        assert sorted(filter(None, everything(target).values())) == [f"content {steps}", "ok"]
        empty(target)
        steps += 1
    assert steps > 3


def crashed(process: Process, steps: int, inbox: Path, target: Path | None) -> bool:
    """Take a file and its marker away, die after so many steps, start anew; tell whether it came to dying."""
    path = inbox / f"{steps}.csv"
    path.write_text(f"content {steps}")
    (inbox / f"{steps}.csv.ok").write_text("ok")
    told = FileVersion(path, path.stat().st_size, path.stat().st_mtime_ns, path.stat().st_ino)
    first = job(path, target, ".ok")
    process.left = steps
    try:
        assert jobs.carry_out([first], lambda: False) == {}
    except Died:
        died = True
    else:
        died = False
    process.left = None
    start_anew(told, target, ".ok")
    if path.exists():
        assert jobs.carry_out([first], lambda: False) == {}
    return died


def empty(folder: Path) -> None:
    for left in folder.rglob("*.*"):
        left.unlink()


def _no_links(*_: object, **__: object) -> None:
    raise PermissionError(1, "Operation not permitted")


@pytest.mark.parametrize("target", ["done", None])
def test_a_version_that_slips_in_at_the_last_instant_is_put_back(
    inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str | None
) -> None:
    path = inbox / "a.csv"
    path.write_text("old")
    task = job(path, tmp_path / target if target else None)
    real = Path.rename

    def slipping(self: Path, to: Path) -> Path:
        if self == path:
            (tmp_path / "new").write_text("newer")
            real(tmp_path / "new", path)
        return real(self, to)

    monkeypatch.setattr(Path, "rename", slipping)
    assert jobs.carry_out([task], lambda: False) == {}
    assert everything(inbox) == {"a.csv": "newer"}
    assert everything(tmp_path / "done") == {}


def test_a_file_that_changed_or_went_is_left_alone(inbox: Path, tmp_path: Path) -> None:
    changed, gone = inbox / "changed", inbox / "gone"
    for path in (changed, gone):
        path.write_text("old")
    tasks = [job(changed, None), job(gone, tmp_path / "done")]
    changed.write_text("changed")
    gone.unlink()
    assert jobs.carry_out(tasks, lambda: False) == {}
    assert everything(inbox) == {"changed": "changed"}
    with pytest.raises(FileChanged):
        moving.delete(changed, tasks[0].version, EVENT)


def test_a_long_copy_ends_when_it_is_asked_to_and_is_done_anew(inbox: Path, elsewhere: Path) -> None:
    path = inbox / "big"
    path.write_bytes(b"x" * 5_000_000)
    asked = iter([False, False, True])
    with pytest.raises(moving.Stopped):
        moving.move(path, moving.as_it_is(path), EVENT, elsewhere, Path(), stopping=lambda: next(asked))
    assert path.exists()
    assert jobs.left_aside([elsewhere]) == []
    assert list(elsewhere.iterdir()) == []
    moving.move(path, moving.as_it_is(path), EVENT, elsewhere, Path(), stopping=lambda: False)
    assert [place.stat().st_size for place in elsewhere.iterdir()] == [5_000_000]


def test_a_file_of_the_same_name_and_age_but_other_content_is_no_copy(inbox: Path, elsewhere: Path) -> None:
    for folder, text in ((inbox, "mine"), (elsewhere, "your")):
        (folder / "a").write_text(text)
        os.utime(folder / "a", ns=(5, 5))
    moving.move(inbox / "a", moving.as_it_is(inbox / "a"), EVENT, elsewhere, Path(), stopping=lambda: False)
    assert everything(elsewhere) == {"a": "your", "a-1": "mine"}


@pytest.mark.parametrize(
    ("name", "second"),
    [
        ("a", "a-1"),
        ("a.csv", "a-1.csv"),
        (".a", ".a-1"),
        ("a.tar.gz", "a-1.tar.gz"),
        ("n" * 255, "n" * 253 + "-1"),
        ("ü" * 127, "ü" * 126 + "-1"),
    ],
)
def test_a_number_is_put_before_the_ending(tmp_path: Path, name: str, second: str) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).touch()
        path = tmp_path / folder / name
        moving.move(path, moving.as_it_is(path), EVENT, tmp_path / "done", Path(), stopping=lambda: False)
    assert sorted(path.name for path in (tmp_path / "done").iterdir()) == sorted([name, second])


def test_what_was_left_aside_by_others_stays(tmp_path: Path) -> None:
    (tmp_path / f"{ASIDE}other").write_text("x")
    assert jobs.left_aside([tmp_path]) == [tmp_path / f"{ASIDE}other"]
    assert jobs.left_aside([tmp_path / "missing"]) == []
