"""The pictures of the states in docs/architecture.md show the transitions of `states.py`: all of them, and no others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from eventflow.facts import Fact
from eventflow.states import NODE, RUN, Transition

PAGE = (Path(__file__).parents[2] / "docs" / "architecture.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "table"), [("Run", RUN), ("Node", NODE)])
def test_the_picture_shows_the_transitions_of_the_table(name: str, table: Mapping[type[Fact], Transition]) -> None:
    picture = re.search(rf"state {name} {{\n(.*?)\n    }}", PAGE, re.DOTALL)
    assert picture is not None
    drawn = sorted(re.findall(r"(\w+) --> (\w+): (\w+)", picture[1]))
    legal = sorted((source, one.to, fact.__name__) for fact, one in table.items() for source in one.sources if one.to is not None)
    assert drawn == legal
