"""How much room a text takes. Names are set in a fixed-width font, so that this is known whatever fonts the reader has."""

from __future__ import annotations

import unicodedata

NAME, NOTE, TITLE = 13.0, 11.0, 15.0
"""The sizes of fonts, in pixels."""

_CELL = 0.61
"""The widest of the usual fixed-width fonts, as a part of its size."""


def width(text: str, size: float) -> float:
    """Give the width of a line of text, in pixels, rather too wide than too narrow."""
    return cells(text) * _CELL * size


def cells(text: str) -> int:
    """Count the columns that a text takes: two for each wide character, none for accents that stand above others."""
    return sum(0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def clipped(text: str, most: int) -> str:
    """Give a text in at most so many columns, with its end cut off where it is longer."""
    if cells(text) <= most:
        return text
    while cells(text) > most - 1:
        text = text[:-1]
    return f"{text}…"
