from __future__ import annotations

from pathlib import Path

import pytest

from eventflow.daemon.code import changed, code_in


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("pipelines/a.py", "lib/deep/b.py", "pyproject.toml", "main.py"):
        write(tmp_path / name)
    return tmp_path


def write(path: Path, text: str = "x") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def code(root: Path) -> dict:
    return dict(code_in(root, root / ".eventflow"))


def test_python_files_and_the_settings_are_code(root: Path) -> None:
    assert sorted(code(root)) == ["lib/deep/b.py", "main.py", "pipelines/a.py", "pyproject.toml"]


@pytest.mark.parametrize(
    "name",
    [
        "data/incoming/a.csv",
        "data/script.py",
        ".eventflow/x.py",
        ".venv/lib/x.py",
        ".git/x.py",
        "pipelines/__pycache__/x.py",
        "lib/pyproject.toml",
        "notes.md",
        "pipelines/.#a.py/x.py",
    ],
)
def test_what_tasks_and_tools_write_is_none(root: Path, name: str) -> None:
    before = code(root)
    write(root / name)
    assert changed(before, code(root)) == []


def test_an_environment_of_any_name_is_none(root: Path) -> None:
    before = code(root)
    write(root / "env" / "pyvenv.cfg")
    write(root / "env" / "lib" / "x.py")
    assert changed(before, code(root)) == []


def test_another_state_folder_is_none(root: Path) -> None:
    write(root / "var" / "x.py")
    assert "var/x.py" not in code_in(root, root / "var")


def test_new_gone_and_changed_files_are_told(root: Path) -> None:
    before = code(root)
    write(root / "pipelines" / "a.py", "longer")
    write(root / "lib" / "new.py")
    (root / "main.py").unlink()
    assert changed(before, code(root)) == ["lib/new.py", "main.py", "pipelines/a.py"]


def test_a_link_to_nowhere_is_left_out(root: Path) -> None:
    before = code(root)
    (root / "lib" / "gone.py").symlink_to(root / "nowhere")
    assert changed(before, code(root)) == []
