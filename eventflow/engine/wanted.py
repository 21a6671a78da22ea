"""What suspended nodes wait for, as it is recorded: plain data, so that it stands whatever becomes of the code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import msgspec
from msgspec import UNSET

from eventflow import codec
from eventflow.facts import EventRecorded
from eventflow.ports import Timer


class EventWanted(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="for", tag="event"):
    """An event of a source, with what else is given: its type, its subject, and what stands at dotted paths in its data."""

    source: str
    type: str | None = None
    subject: str | None = None
    match: dict[str, object] = {}
    default: object = UNSET

    def is_met_by(self, event: EventRecorded) -> bool:
        """Tell whether an event is the one."""
        if event.source != self.source or self.type not in (None, event.type) or self.subject not in (None, event.subject):
            return False
        data = msgspec.json.decode(event.data) if self.match else None
        return all(_is_same(_at(data, path), value) for path, value in self.match.items())


class AnswerWanted(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="for", tag="answer"):
    """A person's answer to a question: of a form (JSON Schema), from one of `who`, or from anybody; `shown` is what they are to see."""

    question: str
    form: object
    who: tuple[str, ...] = ()
    shown: object = UNSET
    default: object = UNSET


class TimeWanted(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="for", tag="time"):
    """An instant, which is the wait's `due`."""

    default: object = UNSET


class ChildWanted(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="for", tag="child"):
    """The end of a run."""

    run: str
    default: object = UNSET


Wanted = EventWanted | AnswerWanted | TimeWanted | ChildWanted


@dataclass(eq=False, slots=True)
class OpenWait:
    """A wait that hasn't ended: whose it is, for what, since when and until when; `taken` once something ends it."""

    run: str
    pipeline: str
    node: str
    wanted: Wanted
    since: int
    due: int | None
    timer: Timer | None = None
    taken: bool = False


def encode(wanted: Wanted) -> msgspec.Raw:
    """Give what a node waits for as JSON."""
    return msgspec.Raw(codec.canonical(wanted))


def decode(raw: msgspec.Raw) -> Wanted:
    """Give what `encode` wrote."""
    return _decoder.decode(raw)


def unknown_fields(answer: object, form: object) -> list[str]:
    """Name the fields of an answer that its form (JSON Schema) doesn't have: a word mistyped must not become a default."""
    shape = cast("dict[str, Any]", form) if isinstance(form, dict) else {}
    return list(_unknown(answer, shape, shape.get("$defs", {}), ""))


def _unknown(answer: object, shape: dict[str, Any], defs: dict[str, Any], path: str) -> Iterator[str]:
    shape = defs.get(str(shape.get("$ref", "")).rpartition("/")[2], shape)
    properties: dict[str, Any] | None = shape.get("properties")
    if not isinstance(answer, dict) or properties is None:
        return
    for name, value in cast("dict[str, object]", answer).items():
        if name in properties:
            yield from _unknown(value, properties[name], defs, f"{path}{name}.")
        elif shape.get("additionalProperties") in (None, False):
            yield f"{path}{name}"


def _at(data: object, path: str) -> object:
    for name in path.split("."):
        if not isinstance(data, dict) or name not in data:
            return _NOTHING
        data = cast("dict[str, Any]", data)[name]
    return data


def _is_same(found: object, wanted: object) -> bool:
    # As JSON: 1 is not true there.
    return found is not _NOTHING and codec.canonical(found) == codec.canonical(wanted)


_NOTHING = object()
_decoder: msgspec.json.Decoder[Wanted] = msgspec.json.Decoder(Wanted)
