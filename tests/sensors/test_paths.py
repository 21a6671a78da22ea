"""Places in JSON documents."""

from __future__ import annotations

import pytest

from eventflow.errors import DefinitionError
from eventflow.sensors.http.changes import Value
from eventflow.sensors.paths import Absent, parsed

DOCUMENT = {"a": {"b": [{"c": 1}, {"c": 2}], "$ref": 9}, "a.b": 3, "": 4, "x y": 5, "ä": 6, "7": {"0": 7}, "$id": 8}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a.b[0].c", 1),
        ("a.b[-1].c", 2),
        ("$.a.b[1].c", 2),
        ('["a.b"]', 3),
        ('[""]', 4),
        ('["x y"]', 5),
        ("x y", 5),
        ("a.b.1.c", 2),
        ("7.0", 7),
        ("$id", 8),
        ("a.$ref", 9),
        ("ä", 6),
        ('a["b"][0]', {"c": 1}),
        ("a.b[*]", [{"c": 1}, {"c": 2}]),
        ("", DOCUMENT),
        ("$", DOCUMENT),
    ],
)
def test_a_path_leads_to_its_value(path: str, value: object) -> None:
    assert parsed(path, "path").of(DOCUMENT) == value


@pytest.mark.parametrize("path", [".a", "a..b", "a[", "a[x]", "a]", "a ", "a[*].b", "a.*", "[99999999999]", '["a', 5, None])
def test_a_path_that_is_none_is_refused_where_it_is_written(path: str) -> None:
    with pytest.raises(DefinitionError, match="write it like") as caught:
        Value(path)
    assert "test_paths.py" in str(caught.value)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("a.z", "where 'z' was looked for, there are the keys 'b', '$ref'"),
        ("a.b[2]", "the list at [2] has 2 items"),
        ("a.b.2", "the list at [2] has 2 items"),
        ("a.b.c", "where 'c' was looked for, there is a list"),
        ("ä.x", "where 'x' was looked for, there is a number"),
        ("ä[0]", "where 0 was looked for, there is a number"),
    ],
)
def test_what_is_absent_is_told_with_what_is_there(path: str, said: str) -> None:
    with pytest.raises(Absent) as caught:
        parsed(path, "path").of(DOCUMENT)
    assert said in str(caught.value)


def test_of_many_keys_some_are_named_and_none_at_length() -> None:
    with pytest.raises(Absent) as caught:
        parsed("x", "path").of({"k" * 1000 + str(number): 1 for number in range(100)})
    assert len(str(caught.value)) < 800
    assert "92 more" in str(caught.value)
