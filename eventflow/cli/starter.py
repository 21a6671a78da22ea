"""The files of a new project, by name. `{name}` stands for the project's."""

from __future__ import annotations

FILES = {
    "pyproject.toml": """\
[project]
name = "{name}"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["eventflow"]

# This table makes the folder an eventflow project.
[tool.eventflow]
""",
    ".gitignore": """\
.eventflow/
.venv/
__pycache__/
incoming/*
!incoming/.gitkeep
""",
    "incoming/.gitkeep": "",
    "pipelines/__init__.py": '"""What can be run. Every module in here is loaded."""\n',
    "pipelines/count.py": '''\
"""Count the words of a text file.

    eventflow run count -p path=pyproject.toml
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from eventflow import Retry, pipeline, task


@task(retry=Retry(attempts=3, delay="1s", on=(OSError,)))
def read(path: Path) -> str:
    """Give the file's text."""
    return path.read_text(encoding="utf-8", errors="replace")


@task
def tally(text: str) -> dict[str, int]:
    """Count each word."""
    return dict(Counter(text.lower().split()))


@task
def report(counts: dict[str, int], most: int) -> list[str]:
    """Give the most frequent words, the first one first. What is printed here is shown by `eventflow logs`."""
    words = sorted(counts, key=lambda word: (-counts[word], word))[:most]
    print("most frequent:", ", ".join(words))
    return words


@pipeline
def count(path: Path, most: int = 3) -> list[str]:
    """The most frequent words of a text file."""
    return report(tally(read(path)), most)
''',
    "sensors/__init__.py": '"""What is watched, and what it fires. Every module in here is loaded."""\n',
    "sensors/inbox.py": '''\
"""The inbox: every text file that lands in `incoming/` is counted, once."""

from __future__ import annotations

from eventflow import FileSensor, Trigger
from pipelines.count import count

inbox = FileSensor("inbox", path="incoming", match="*.txt")

count_on_drop = Trigger("count-on-drop", on=inbox, run=count, params=lambda event: {"path": event.data.path})
''',
}
