"""The registry: versions whole or not at all, and a champion that moves from where it was thought to be, or not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.registry import ChampionMoved, Registry

ROOT = Path(__file__).parents[2]


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "models")


def test_a_new_registry_has_no_champion_and_no_versions(registry: Registry) -> None:
    assert registry.champion() is None
    assert registry.versions() == []


def test_versions_are_numbered_in_their_order(registry: Registry) -> None:
    added = [registry.add({"model": str(n).encode()}) for n in range(12)]
    assert registry.versions() == added
    assert [int(version.split("-")[0]) for version in added] == list(range(1, 13))


def test_the_same_content_is_the_same_version(registry: Registry) -> None:
    first = registry.add({"a": b"1", "b": b"2"})
    assert registry.add({"a": b"1", "b": b"3"}) != first
    assert registry.add({"b": b"2", "a": b"1"}) == first
    assert len(registry.versions()) == 2


def test_files_of_a_version_are_read_back(registry: Registry) -> None:
    version = registry.add({"model.json": b"{}", "data.csv": b"\x00"})
    assert registry.read(version, "data.csv") == b"\x00"


def test_the_champion_moves_from_the_one_it_was_compared_with(registry: Registry) -> None:
    first, second = registry.add({"m": b"1"}), registry.add({"m": b"2"})
    registry.promote(first, over=None)
    registry.promote(second, over=first)
    assert registry.champion() == second


def test_promoting_twice_is_promoting_once(registry: Registry) -> None:
    first, second = registry.add({"m": b"1"}), registry.add({"m": b"2"})
    registry.promote(first, over=None)
    registry.promote(second, over=first)
    registry.promote(second, over=first)
    assert registry.champion() == second


def test_the_champion_stays_where_somebody_else_has_moved_it(registry: Registry) -> None:
    first, second, third = (registry.add({"m": str(n).encode()}) for n in range(3))
    registry.promote(first, over=None)
    registry.promote(second, over=first)
    with pytest.raises(ChampionMoved, match=f"compared with {first}, but the champion is {second}"):
        registry.promote(third, over=first)
    assert registry.champion() == second


@pytest.mark.parametrize("name", ["", "..", "../../etc", "0001-0123456789abcdef", "/"])
def test_a_champion_that_is_no_version_is_refused(registry: Registry, name: str) -> None:
    registry.add({"m": b"1"})
    (registry.root / "champion").write_text(name)
    with pytest.raises(ValueError, match="is no version"):
        registry.champion()


@pytest.mark.parametrize("step", range(1, 12))
def test_a_deployment_killed_anywhere_is_finished_by_the_next_try(registry: Registry, step: int) -> None:
    before = registry.add({"m": b"old", "n": b"old"})
    registry.promote(before, over=None)
    assert killed_at(step, registry.root, before) in {-signal.SIGKILL, 0}
    assert registry.champion() in {before, registry.versions()[-1]}
    assert all(registry.read(version, "n") for version in registry.versions())
    version = registry.add({"m": b"new", "n": b"new"})
    registry.promote(version, over=before)
    assert registry.champion() == version
    assert registry.versions() == [before, version]
    assert {path.name for path in registry.root.iterdir()} == {before, version, "champion", ".lock"}


def test_the_deployment_has_the_steps_at_which_it_is_killed(registry: Registry) -> None:
    before = registry.add({"m": b"old", "n": b"old"})
    registry.promote(before, over=None)
    codes = [killed_at(step, registry.root, before) for step in (1, 11, 30)]
    assert codes == [-signal.SIGKILL, -signal.SIGKILL, 0]


def killed_at(step: int, root: Path, before: str) -> int:
    """Deploy in a process that kills itself just before its `step`-th change of the disk; give how it ended."""
    program = f"""
import os, signal, sys
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from pipelines.registry import Registry
left = {step}
def audit(event, arguments):
    global left
    writes = event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR) and {str(root)!r} in str(arguments[0])
    if event in ("os.mkdir", "os.rename", "shutil.rmtree") or writes:
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(audit)
registry = Registry(Path({str(root)!r}))
registry.promote(registry.add({{"m": b"new", "n": b"new"}}), over={before!r})
"""
    return subprocess.run([sys.executable, "-c", program], check=False, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}).returncode
