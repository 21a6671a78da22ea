"""What makes a file one that has fired: its version, its path, or its content. Pure: it sees identities, never a disk.

Three kinds of identity, of which a journal keeps those of its sensor. A version is a path, an inode, a size and a time:

    in/a.csv#12.34.1700000000000000000             version
    in/a.csv#                                      path
    blake2b#9f86d0...                              content, and for each version that holds it
    in/a.csv#12.34.1700000000000000000.9f86d0...   what that version holds, so that it need not be read again

Beside them, of a manifest of which all was there:

    in/a.manifest#12.34.1700000000000000000.complete
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from eventflow.sensors.files.scan import path_in
from eventflow.sensors.options import Identity

UNREAD = "-"
"""What stands for the content of a file that could not be read."""

COMPLETE = ".complete"
"""How the identities end by which the journal knows the manifests that were found complete."""

_CONTENT = "blake2b#"


@dataclass(frozen=True, slots=True)
class There:
    """What a look found, by identities of versions, and the quoted paths that could not be looked at: nobody knows what is there."""

    found: Collection[str]
    unreadable: Iterable[str] = ()

    def hides(self) -> Callable[[str], bool]:
        """Give what tells whether an identity is of something that could not be looked at."""
        hidden = tuple(f"{path}{end}" if path else "" for path in self.unreadable for end in "/#")
        return lambda identity: bool(hidden) and identity.startswith(hidden)


@dataclass(frozen=True, slots=True)
class Beginning:
    """What the first look of a start says of the identities that the journal has: these are back, those are gone."""

    keep: tuple[str, ...]
    forget: tuple[str, ...]


class Identities(Protocol):
    """Which files have fired."""

    def begin(self, seen: Mapping[str, int | None], there: There) -> Beginning:
        """Take what the journal has seen: each identity, with the instant at which it was found gone, or None."""
        ...

    def holds(self, version: str) -> bool:
        """Tell whether a version needs no event: it, or what stands for it, has been taken."""
        ...

    def event(self, version: str, content: str | None) -> str:
        """Give the identity of a version's event. `content` is the digest of what it holds, where that matters and isn't known here."""
        ...

    def along(self, version: str, content: str | None) -> tuple[str, ...]:
        """Give the identities that are taken together with a version's event, or in its place where that has fired already."""
        ...

    def take(self, version: str, content: str | None) -> None:
        """Take a version."""
        ...

    def gone(self, there: There) -> tuple[str, ...]:
        """Give the identities of what is no longer there, and take them no more."""
        ...


def identities_of(kind: Identity) -> Identities:
    """Give an empty memory of identities of a kind."""
    if kind == "content":
        return _Contents()
    return _Plain(_path if kind == "path" else _version)


def complete_manifests() -> Identities:
    """Give an empty memory of the manifests that were found complete."""
    return _Plain(lambda version: f"{version}{COMPLETE}")


def _version(version: str) -> str:
    return version


def _path(version: str) -> str:
    return f"{path_in(version)}#"


class _Plain:
    """Identities that a version's own identity tells."""

    def __init__(self, of: Callable[[str], str]) -> None:
        self._of = of
        self._taken: set[str] = set()

    def begin(self, seen: Mapping[str, int | None], there: There) -> Beginning:
        found, hides = self._found(there), there.hides()
        self._taken = {name for name, gone in seen.items() if name in found or (gone is None and hides(name))}
        return Beginning(
            keep=tuple(name for name in found if seen.get(name) is not None),
            forget=tuple(name for name, gone in seen.items() if gone is None and name not in self._taken),
        )

    def holds(self, version: str) -> bool:
        return self._of(version) in self._taken

    def event(self, version: str, content: str | None) -> str:  # noqa: ARG002 - the protocol has it
        return self._of(version)

    def along(self, version: str, content: str | None) -> tuple[str, ...]:  # noqa: ARG002 - as above
        return ()

    def take(self, version: str, content: str | None) -> None:  # noqa: ARG002 - as above
        self._taken.add(self._of(version))

    def gone(self, there: There) -> tuple[str, ...]:
        found, hides = self._found(there), there.hides()
        gone = tuple(name for name in self._taken if name not in found and not hides(name))
        self._taken.difference_update(gone)
        return gone

    def _found(self, there: There) -> Collection[str]:
        return there.found if self._of is _version else dict.fromkeys(map(self._of, there.found))


class _Contents:
    """Identities that only reading a file tells. Which version holds which content is kept beside, in identities that fire nothing."""

    def __init__(self) -> None:
        self._content: dict[str, str] = {}

    def begin(self, seen: Mapping[str, int | None], there: There) -> Beginning:
        hides = there.hides()
        versions = {name: _split(name) for name in seen if not name.startswith(_CONTENT)}
        here = {name for name, (version, _) in versions.items() if version in there.found or (seen[name] is None and hides(version))}
        self._content = dict(versions[name] for name in here)
        contents = {_event(content) for content in self._content.values()}
        here |= {name for name in seen if name in contents}
        return Beginning(
            keep=tuple(name for name in here if seen[name] is not None),
            forget=tuple(name for name, gone in seen.items() if gone is None and name not in here),
        )

    def holds(self, version: str) -> bool:
        return version in self._content

    def event(self, version: str, content: str | None) -> str:
        return _event(content or self._content.get(version, UNREAD))

    def along(self, version: str, content: str | None) -> tuple[str, ...]:
        return (f"{version}.{content}",)

    def take(self, version: str, content: str | None) -> None:
        self._content[version] = content or UNREAD

    def gone(self, there: There) -> tuple[str, ...]:
        hides = there.hides()
        gone = {version: content for version, content in self._content.items() if version not in there.found and not hides(version)}
        if not gone:
            return ()
        for version in gone:
            del self._content[version]
        left = set(self._content.values()) | {UNREAD}
        contents = dict.fromkeys(_event(content) for content in gone.values() if content not in left)
        return (*(f"{version}.{content}" for version, content in gone.items()), *contents)


def _event(content: str) -> str:
    return f"{_CONTENT}{content}"


def _split(name: str) -> tuple[str, str]:
    version, _, content = name.rpartition(".")
    return version, content
