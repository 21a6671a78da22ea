"""Passing over the rows that are there when a table is first watched."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import cast

from eventflow.sensors.rows.source import Page, Source

_PAGE = 2000
"""Rows that are taken note of at once. A page is one transaction of the journal."""


async def passed_over(cursor: object, source: Source) -> AsyncGenerator[Page, None]:
    """Give pages of rows that are known and not to fire, until the cursor of the last one stands where rows are read from.

    Each is to be committed: a later start goes on behind it, so that no row fires because a process died meanwhile.
    """
    while cursor is None or _is_noting(cursor):
        page = await source.existing(cursor, _PAGE)
        cursor = page.cursor
        yield page


def _is_noting(cursor: object) -> bool:
    return isinstance(cursor, dict) and "noting" in cast("dict[str, object]", cursor)
