"""What a manifest says: which files are complete, and how to know them again."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

_SUMMED = re.compile(rb"(?P<escaped>\\)?(?P<digest>[0-9a-fA-F]+) [ *](?P<name>.+)")
_SIZED = re.compile(rb"(?P<name>.*\S)[ \t]+(?P<size>\d+)")
_ESCAPE = re.compile(rb"\\([\\nr])")
_ESCAPED = {b"\\": b"\\", b"n": b"\n", b"r": b"\r"}

_ALGORITHMS = {32: ("md5",), 40: ("sha1",), 56: ("sha224",), 64: ("sha256", "blake2b-256"), 96: ("sha384",), 128: ("sha512", "blake2b")}
"""By the number of hexadecimal digits. Where two have as many, either will do."""


@dataclass(frozen=True, slots=True)
class Listed:
    """What a manifest says of a file, as far as it does: its size in bytes; its digest, and by which algorithms that may be."""

    size: int | None = None
    digest: str | None = None
    algorithms: tuple[str, ...] = ()


def listed(text: bytes, there: Callable[[bytes], bool]) -> Mapping[bytes, Listed]:
    """Give the files that a manifest names, by name, each with what is said of it.

    A line is a name, a name with its size, or a digest with a name as `sha256sum` writes it. Names may end with digits: `there` tells
    whether a file of a name is there, and then the name it is. Raises `ValueError` for a name that leads out of the manifest's folder,
    and for a manifest that names nothing.
    """
    files = dict(_entry(line.rstrip(b"\r"), there) for line in text.split(b"\n") if line.strip())
    if not files:
        raise ValueError("names no file")
    for name in files:
        if name.startswith(b"/") or b".." in name.split(b"/") or b"\0" in name:
            raise ValueError(f"names {name!r}, which leads out of its folder")
    return files


def _entry(line: bytes, there: Callable[[bytes], bool]) -> tuple[bytes, Listed]:
    summed = _SUMMED.fullmatch(line)
    if summed and len(summed["digest"]) in _ALGORITHMS:
        name = _ESCAPE.sub(lambda escape: _ESCAPED[escape[1]], summed["name"]) if summed["escaped"] else summed["name"]
        return _plain(name), Listed(digest=summed["digest"].decode().lower(), algorithms=_ALGORITHMS[len(summed["digest"])])
    sized = _SIZED.fullmatch(line)
    if sized and not there(_plain(line)):
        return _plain(sized["name"]), Listed(size=int(sized["size"]))
    return _plain(line), Listed()


def _plain(name: bytes) -> bytes:
    """Give a name without what leads nowhere: `sha256sum ./*` writes `./` before each."""
    return b"/".join(_parts(name))


def _parts(name: bytes) -> Iterator[bytes]:
    for place, part in enumerate(name.split(b"/")):
        if part != b"." and (part or place == 0):
            yield part
