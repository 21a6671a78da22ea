"""Where a stream stands, which event is which, and how a server is told to go on from there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from eventflow import codec
from eventflow.sensors.http.sse import LONGEST_ID, Message
from eventflow.sensors.paths import Absent, JSONPath

_LONGEST_IDENTITY = 200


class Position(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The cursor: the id of the last event that had one, and how many came that had none. `watched` says of which stream."""

    watched: str
    last: str | int | None = None
    count: int = 0

    @property
    def cursor(self) -> dict[str, Any]:
        """How it stands in the journal."""
        return msgspec.to_builtins(self)


def reached(cursor: object, watched: str) -> Position:
    """Give the position that a cursor means: the beginning, but for the count, where it is another stream's."""
    try:
        position = msgspec.convert(cursor, Position)
    except msgspec.ValidationError:  # another kind of sensor had this name
        return Position(watched=watched)
    return position if position.watched == watched else Position(watched=watched, count=position.count)


@dataclass(frozen=True, slots=True)
class Read:
    """A message as an event: its identity, its `own` id if it has one, and the position behind it. `fault` says why there is no `value`."""

    message: Message
    identity: str
    own: str | None
    position: Position
    value: object = None
    fault: str | None = None


class Reader:
    """Tells the events of one connection apart.

    One with an id is known by it. One without, in a stream that has ids, is known by the id before it, its place behind that, and its
    content: it is the same when the server sends it again. In a stream without any ids they are numbered. `id_place` is where ids stand in
    the JSON of a message; without it they are those that the stream's format gives.
    """

    def __init__(self, position: Position, id_place: JSONPath | None, *, as_json: bool) -> None:
        self.position = position
        self._id_place = id_place
        self._as_json = as_json
        self._behind = 0

    def read(self, message: Message) -> Read:
        """Give the next message as an event."""
        value, fault = _parsed(message) if self._as_json else (message.text, None)
        own: str | int | None = message.id
        if self._id_place is None:
            self.passed(message.last_id)
        else:
            own = _id_at(self._id_place, value)
            fault = fault or (f"it has no id at {self._id_place.written!r}" if own is None else None)
        identity = self._identity(message, own)
        return Read(message, identity, None if own is None else str(own), self.position, value, fault)

    def passed(self, last_id: str) -> None:
        """Note the stream's last id, which may come without an event too."""
        if last_id and last_id != self.position.last:
            self._move(last=last_id)
            self._behind = 0

    def _identity(self, message: Message, own: str | int | None) -> str:
        if own is not None:
            self._move(last=own)
            self._behind = 0
            return _short(str(own))
        if self.position.last is None:
            self._move(count=self.position.count + 1)
            return f"+{self.position.count}"
        self._behind += 1
        return f"{_short(str(self.position.last))}+{self._behind}.{codec.digest(message.text.encode())[:16]}"

    def _move(self, **fields: str | int) -> None:
        self.position = msgspec.structs.replace(self.position, **fields)


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
