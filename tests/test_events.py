"""Events and observations: values that nobody can change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from eventflow import Event, Observation


def an_event(**fields: object) -> Event[object]:
    return msgspec.structs.replace(Event(id="1", source="inbox", type="file", data=Path("a"), time=7), **fields)


def test_events_that_say_the_same_are_equal() -> None:
    assert an_event() == an_event()
    assert an_event() != an_event(subject="a")
    assert an_event() != an_event(source="outbox")


def test_an_event_has_no_subject_unless_given() -> None:
    assert an_event().subject is None


@pytest.mark.parametrize("missing", ["id", "source", "type", "data", "time"])
def test_an_event_needs_each_part_of_its_identity_and_content(missing: str) -> None:
    fields: dict[str, Any] = {"id": "1", "source": "inbox", "type": "file", "data": 1, "time": 7}
    del fields[missing]
    with pytest.raises(TypeError, match=missing):
        Event(**fields)


def test_parts_are_given_by_name_so_that_id_and_source_are_not_confused() -> None:
    with pytest.raises(TypeError):
        Event("1", "inbox", "file", 1, 7)  # pyright: ignore[reportCallIssue]


@pytest.mark.parametrize("value", [an_event(), Observation(events=(an_event(),))])
def test_what_was_seen_can_not_be_changed(value: Event[object] | Observation[object]) -> None:
    for name in value.__struct_fields__:
        with pytest.raises(AttributeError):
            setattr(value, name, None)


def test_an_observation_of_nothing_is_a_heartbeat() -> None:
    empty: Observation[object] = Observation()
    assert (empty.events, empty.cursor, empty.forget, empty.keep, empty.known) == ((), UNSET, (), (), ())
