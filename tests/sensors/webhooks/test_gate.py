"""The gate: what of JSON passes, and what doesn't."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventflow.sensors.webhooks.gate import MEBIBYTE, MOST_KEYS, parse
from eventflow.sensors.webhooks.received import Unfit

FINE = [
    b"{}",
    b" [ ] \n",
    b'{"a":{"b":[1,-2.5e3,true,null,"\\u00e4\\\\u0000"]}}',
    b'{"a:b":":","\\":":1}',
    '{"ä":"\\ud83d\\ude00"}'.encode(),
    b"[" * 64 + b"]" * 64,
    b'{"n":' + b"1" * 4300 + b"}",
    b'{"__proto__":1,"constructor":2,"$ref":"#"}',
]


@pytest.mark.parametrize("body", FINE)
def test_json_comes_through_as_it_is(body: bytes) -> None:
    assert parse(body, MEBIBYTE) == json.loads(body)


PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

texts = st.text(st.sampled_from('ab:,"\\/{}[]0u\n\x7f\u00e4\u2028\U0001f600'), max_size=10)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=10,
)


@settings(PATIENT, max_examples=200)
@given(st.lists(json_values) | st.dictionaries(texts, json_values), st.booleans())
def test_all_json_that_is_well_formed_passes(value: object, ascii_only: bool) -> None:
    assert parse(json.dumps(value, ensure_ascii=ascii_only).encode(), MEBIBYTE) == value


@settings(PATIENT, max_examples=300)
@given(st.dictionaries(st.text(st.sampled_from('ab:"\\{}')), st.integers(), min_size=1), st.data())
def test_a_key_that_stands_twice_is_found_however_it_is_written(value: dict[str, int], data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(value)))
    escaped = '"' + "".join(f"\\u{ord(char):04x}" for char in key) + '"'
    twice = json.dumps(value)[:-1] + f",{escaped}:0}}"
    with pytest.raises(Unfit, match="the same key twice"):
        parse(f'[{{"x":{twice}}}]'.encode(), MEBIBYTE)


def test_a_hook_that_takes_larger_bodies_takes_more_keys() -> None:
    body = json.dumps([{"k": 1}] * (MOST_KEYS + 1)).encode()
    with pytest.raises(Unfit, match="more than 10000 keys"):
        parse(body, MEBIBYTE)
    assert len(list(parse(body, 25 * MEBIBYTE))) == MOST_KEYS + 1  # type: ignore[call-overload]
