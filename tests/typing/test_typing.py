"""What type checkers say about user code: every error that is wanted, and no other. Both checkers run over both files."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
IGNORE = re.compile(r"  # type: ignore$", re.MULTILINE)


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A folder with both files, the ignores taken away."""
    for name in ("accepted.py", "rejected.py"):
        (tmp_path / name).write_text(IGNORE.sub("", (HERE / name).read_text()))
    return tmp_path


def wanted() -> set[tuple[str, int]]:
    lines = (HERE / "rejected.py").read_text().splitlines()
    return {("rejected.py", number) for number, line in enumerate(lines, 1) if IGNORE.search(line)}


def output(*command: str | Path, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, f"expected errors and nothing worse, got {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout


def test_mypy_accepts_and_refuses_the_same_calls_as_a_reader_would(code: Path) -> None:
    said = output(
        "mypy", "--strict", "--follow-imports=silent", "--no-error-summary", f"--cache-dir={code / 'cache'}", code / "accepted.py", code / "rejected.py",
        MYPYPATH=str(ROOT),
    )  # fmt: skip
    found = {(Path(file).name, int(line)) for file, line in re.findall(r"^(.+?):(\d+): error: ", said, re.MULTILINE)}
    assert found == wanted(), said


def test_pyright_accepts_and_refuses_the_same_calls_as_a_reader_would(code: Path) -> None:
    # What strictness adds about expressions that only stand there is no error of the code's types.
    settings = {
        "include": ["."],
        "typeCheckingMode": "strict",
        "pythonVersion": "3.11",
        "extraPaths": [str(ROOT)],
        "reportUnusedExpression": False,
    }
    (code / "pyrightconfig.json").write_text(json.dumps(settings))
    said = output("pyright", "--outputjson", "--pythonpath", sys.executable, "--project", code)
    errors = [error for error in json.loads(said)["generalDiagnostics"] if error["severity"] == "error"]
    found = {(Path(error["file"]).name, error["range"]["start"]["line"] + 1): error["message"] for error in errors}
    assert found.keys() == wanted(), found
