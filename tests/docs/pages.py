"""README and docs/: where the pages are, and the examples in them."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
BLOCK = re.compile(r"^```(?P<language>\w+)(?P<options>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path, language: str) -> list[str]:
    """Give a page's examples in a language, those marked `shown` (which need the world, or are parts of something) left out."""
    found = BLOCK.finditer(page.read_text(encoding="utf-8"))
    return [block["body"] for block in found if block["language"] == language and "shown" not in block["options"]]


def script(page: Path) -> str:
    """Give a page's Python examples as one script, in the order of the page."""
    return "\n\n".join(blocks(page, "python"))
