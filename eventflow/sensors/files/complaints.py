"""What a file sensor tells people beside its events: each thing once, and again only after it had been well."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from eventflow.errors import SensorError, WatchedFolderMissing, WatchedFolderUnreadable
from eventflow.ports import World

Kind = Literal["missing", "unreadable", "outside", "unread"]

_SAID: Mapping[Kind, tuple[type[SensorError], str]] = {
    "missing": (WatchedFolderMissing, "{}"),
    "unreadable": (WatchedFolderUnreadable, "{} can't be looked at, and is passed over: let this user read it and enter its folder"),
    "outside": (SensorError, "{} is a link that leads out of the watched folders, and is passed over: watch the folder where the file is"),
    "unread": (WatchedFolderUnreadable, "{} can't be read, so nobody knows what it holds: let this user read it. It is tried again"),
}


class Complaints:
    """Tells the instrument, in the name of the sensor."""

    def __init__(self, world: World) -> None:
        self._instrument = world.instrument
        self._place = f"sensor {world.source}"
        self._lasting: dict[Kind, frozenset[str]] = {}

    def tell(self, errors: Iterable[SensorError]) -> None:
        """Tell of these."""
        for error in errors:
            self._instrument.troubled(self._place, error)

    def keep(self, kind: Kind, things: Iterable[str]) -> None:
        """Tell of those among all that is wrong in this way which weren't when this was last called."""
        wrong = frozenset(things)
        error, said = _SAID[kind]
        self.tell(error(said.format(thing)) for thing in sorted(wrong - self._lasting.get(kind, frozenset())))
        self._lasting[kind] = wrong
