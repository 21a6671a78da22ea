r"""Text of users, files and events on its way to people: it must neither give a terminal orders nor forge a line.

Control characters, line ends, marks that turn the direction of writing, and bytes that are no UTF-8 are written as escapes: `\n`, `\x1b`.
"""

from __future__ import annotations

import os


def line(text: object) -> str:
    """Give something as one printable line. Tabs stay."""
    plain = str(text)
    return plain if plain.isprintable() else "".join(map(_in_line, plain))


def block(text: str) -> str:
    """Give a text of several lines, each of them printable."""
    return "\n".join(map(line, text.split("\n")))


def path(name: str | bytes | os.PathLike[str]) -> str:
    """Give a file's path as one printable line. A backslash is doubled, so that two different paths never give the same."""
    return "".join(map(_in_path, os.fsdecode(name)))


def json(document: str) -> str:
    r"""Give a JSON document in which what isn't printable is written as `\u...`: the same document to whoever parses it."""
    return document if document.isprintable() else "".join(map(_in_json, document))


def _in_line(char: str) -> str:
    if char.isprintable() or char == "\t":
        return char
    return char.encode("unicode_escape").decode("ascii")


def _in_path(char: str) -> str:
    if char == "\\":
        return "\\\\"
    if char.isprintable():
        return char
    if "\udc80" <= char <= "\udcff":
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char.encode("unicode_escape").decode("ascii")


def _in_json(char: str) -> str:
    if char.isprintable() or char == "\n":
        return char
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[place]:02x}{units[place + 1]:02x}" for place in range(0, len(units), 2))
