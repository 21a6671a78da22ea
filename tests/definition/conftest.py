from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.fixture
def line(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Gives `file:line` of the one line of the test's file that ends in `# <marker>`."""
    lines = request.path.read_text().splitlines()

    def find(marker: str) -> str:
        (number,) = [number for number, text in enumerate(lines, 1) if text.endswith(f"# {marker}")]
        return f"{request.path}:{number}"

    return find
