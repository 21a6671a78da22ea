"""The pictures that the pages show are those that `eventflow graph --format svg` draws of the pages' own pipelines."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import PAGES, name
from tests.docs.pictures import PICTURES, drawn, shown


@pytest.mark.parametrize("page", [page for page in PAGES if shown(page)], ids=name)
def test_a_picture_shows_the_pipeline_as_it_is(page: Path) -> None:
    old = [name for name, picture in drawn(page).items() if (PICTURES / f"{name}.svg").read_text(encoding="utf-8") != picture]
    assert old == [], "`make pictures` draws them anew"


def test_each_picture_is_shown_once() -> None:
    assert sorted(name for page in PAGES for name in shown(page)) == sorted(picture.stem for picture in PICTURES.iterdir())
