"""What all kinds of sensor check in the same way."""

from __future__ import annotations

import pytest

from eventflow.sensors.options import Existing, Identity, choice, length, name_of, pause, whole


def test_what_may_be_meant_is_given_as_it_is_used() -> None:
    assert choice("existing", "fire", Existing) == "fire"
    assert (length("idle", "1m"), length("idle", 0), length("idle", "1s", least="1s", most="1s")) == (60.0, 0.0, 1.0)
    assert pause("every", "100ms", "100ms") == 0.1
    assert (whole("pages", 1, most=1), whole("after", 10_000)) == (1, 10_000)
    assert name_of("inbox") == "inbox"


def test_a_word_that_is_none_of_some_is_refused_with_all_that_there_are() -> None:
    with pytest.raises(ValueError, match=r"^existing='no' is unknown: use 'fire' or 'ignore'$"):
        choice("existing", "no", Existing)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^identity=\[\] is unknown: use 'version', 'content' or 'path'$"):
        choice("identity", [], Identity)  # type: ignore[type-var]


def test_a_length_of_time_is_neither_shorter_nor_longer_than_it_may_be() -> None:
    with pytest.raises(ValueError, match=r"^idle='99ms' is too short: use at least '100ms'$"):
        length("idle", "99ms", least="100ms")
    with pytest.raises(ValueError, match=r"^retry=301 is too long: use at most '5m'$"):
        length("retry", 301, most="5m")
    with pytest.raises(ValueError, match=r"^every='99ms' is too often: use at least '100ms'$"):
        pause("every", "99ms", "100ms")


@pytest.mark.parametrize("value", [0, -1, 11, 1.0, True, "3", None])
def test_what_is_counted_is_a_whole_number(value: object) -> None:
    with pytest.raises(ValueError, match=r"^pages=.*: give a whole number, from 1 to 10$"):
        whole("pages", value, most=10)  # type: ignore[arg-type]


def test_a_name_that_names_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="'In Box' can't name a hook: use a-z"):
        name_of("In Box", "hook")
