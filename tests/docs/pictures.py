"""The pictures in docs/: each is named after a pipeline of its page's examples, and shows that. `make pictures` draws them anew."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Mapping
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from tempfile import TemporaryDirectory

from eventflow import Pipeline
from eventflow.drawing.svg import svg
from tests.docs.pages import PAGES, ROOT, script

PICTURES = ROOT / "docs" / "pictures"
SHOWN = re.compile(r"^!\[[^]]+\]\(pictures/(?P<pipeline>[\w-]+)\.svg\)$", re.MULTILINE)


def shown(page: Path) -> list[str]:
    """Name the pipelines of which a page shows pictures."""
    return SHOWN.findall(page.read_text(encoding="utf-8"))


def drawn(page: Path) -> dict[str, str]:
    """Draw the pipelines of which a page shows pictures, by name. Runs its examples."""
    pipelines = {value.name: value for value in examples(page).values() if isinstance(value, Pipeline)}
    return {name: svg(pipelines[name].definition.graph, pipelines[name].parameters.annotations) for name in shown(page)}


def examples(page: Path) -> Mapping[str, object]:
    """Run a page's examples in a folder of their own, and give what they have defined."""
    with TemporaryDirectory() as folder, contextlib.chdir(folder):
        file = Path(folder, f"{page.stem}_page.py")
        file.write_text(script(page), encoding="utf-8")
        spec = spec_from_loader(file.stem, SourceFileLoader(file.stem, str(file)))
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules[file.stem] = module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        finally:
            del sys.modules[file.stem]
    return vars(module)


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    for page in filter(shown, PAGES):
        for name, picture in drawn(page).items():
            (PICTURES / f"{name}.svg").write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    main()
