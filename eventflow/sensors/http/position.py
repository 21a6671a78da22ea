"""Where a stream stands, which event is which, and how a server is told to go on from there."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from eventflow import codec
from eventflow.sensors.http.sse import LONGEST_ID, Message
from eventflow.sensors.paths import Absent, JSONPath

_LONGEST_IDENTITY = 200


class Position(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The cursor: the id of the last event that had one, and how many came that had none. `watched` says of which stream.

    `unmarked` is what was watched first, as `Space` has it. `base` is the highest number that those without an id had before.
    """

    watched: str
    unmarked: str = ""
    last: str | int | None = None
    count: int = 0
    base: int = 0

    @property
    def cursor(self) -> dict[str, Any]:
        """How it stands in the journal."""
        return msgspec.to_builtins(self)


def reached(cursor: object, watched: str) -> Position | None:
    """Give the position that a cursor means, None where it is another stream's."""
    try:
        position = msgspec.convert(cursor, Position)
    except msgspec.ValidationError:  # another kind of sensor had this name
        return None
    return position if position.watched == watched else None


@dataclass(frozen=True, slots=True)
class Read:
    """A message as an event: its identity, and its `own` id if it has one. `fault` says why there is no `value`.

    `last` is the last id up to here that came on this connection, `count` how many came without one.
    """

    message: Message
    identity: str
    own: str | None
    last: str | int | None
    count: int
    value: object = None
    fault: str | None = None


class Reader:
    """Tells the events of one connection apart.

    One with an id is known by it. One without is known by the id before it on this connection, its place behind that, and its content: it
    is the same when the server goes back to that id. Where no id came before it, nothing tells it from another one like it: they are
    numbered, over all connections. `id_place` is where ids stand in the JSON of a message; without it they are those that the stream's
    format gives.
    """

    def __init__(self, position: Position, id_place: JSONPath | None, *, as_json: bool) -> None:
        self.position = position
        self._id_place = id_place
        self._as_json = as_json
        self._last: str | int | None = None
        self._behind = 0
        self._count = position.count
        self._is_replay = False
        self._is_beginning = position.last is None

    def read(self, message: Message) -> Read:
        """Give the next message as an event."""
        value, fault = _parsed(message) if self._as_json else (message.text, None)
        own: str | int | None = message.id
        if self._id_place is None:
            self._stand_at(message.last_id)
        else:
            own = _id_at(self._id_place, value)
            fault = fault or (f"it has no id at {self._id_place.written!r}" if own is None else None)
        identity = self._identity(message, own)
        return Read(message, identity, None if own is None else str(own), self._last, self._count, value, fault)

    def take(self, reads: Iterable[Read], taken: Collection[str]) -> list[Read]:
        """Give those that aren't taken, and move the position behind them.

        What is sent again leads it nowhere: the server would begin further back each time. But where there was no id to go on from, it
        is how to come to the end of what is known.
        """
        fresh: list[Read] = []
        known = set(taken)
        for read in reads:
            self._is_replay = read.identity in known
            if not self._is_replay:
                known.add(read.identity)
                fresh.append(read)
            self._move(read.last, read.count)
        return fresh

    def passed(self, last_id: str) -> None:
        """Note the stream's last id, which may come without an event too."""
        if last_id:
            self._stand_at(last_id)
            self._move(last_id, self._count)

    def _stand_at(self, last_id: str) -> None:
        if last_id and last_id != self._last:
            self._last, self._behind = last_id, 0

    def _identity(self, message: Message, own: str | int | None) -> str:
        if own is not None:
            self._last, self._behind = own, 0
            return _short(str(own))
        if self._last is None:
            self._count += 1
            return f"+{self.position.base + self._count}"
        self._behind += 1
        return f"{_short(str(self._last))}+{self._behind}.{codec.digest(message.text.encode())[:16]}"

    def _move(self, last: str | int | None, count: int) -> None:
        if not self._is_replay or self._is_beginning:
            self.position = msgspec.structs.replace(self.position, last=self.position.last if last is None else last, count=count)


def _parsed(message: Message) -> tuple[object, str | None]:
    if message.cut:
        return None, "it is larger than the sensor's `largest`, and was cut off"
    try:
        return msgspec.json.decode(message.text), None
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        return None, f"it is no JSON: {'nested too deep' if isinstance(error, RecursionError) else error}"


def _id_at(place: JSONPath, value: object) -> str | int | None:
    try:
        found = place.of(value)
    except Absent:
        return None
    if isinstance(found, bool) or not isinstance(found, str | int):
        return None
    return found if 0 < len(str(found)) <= LONGEST_ID else None


def _short(identity: str) -> str:
    if len(identity) <= _LONGEST_IDENTITY and identity.isprintable():
        return identity
    return f"digest:{codec.digest(identity.encode('utf-8', 'surrogatepass'))}"
