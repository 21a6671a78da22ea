"""The webhook sensor: how it is written, what it makes of payloads, and that nothing makes it raise."""

from __future__ import annotations

import asyncio
import base64
import json
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventflow import DefinitionError, Secret, WebhookSensor, codec
from eventflow.ports import Explaining, Sensor
from eventflow.project.trials import Trial, Trials
from eventflow.sensors.webhooks.received import Received, Receiving, Refusal, Reply
from eventflow.sensors.webhooks.schemes import HMAC, SCHEMES
from eventflow.sensors.webhooks.sensor import CloudEvents
from eventflow.testing import VirtualClock
from tests.sensors.outside import Book, outside
from tests.sensors.webhooks.senders import (
    NOW,
    PLAIN,
    STANDARD,
    bearer,
    digest,
    github,
    gitlab,
    hook,
    raw,
    refused,
    send,
    signed,
    slack,
    standard,
    stripe,
    taken,
)


class Order(msgspec.Struct):
    id: int
    note: str = ""


@dataclass
class Parcel:
    weight: float


class Row(TypedDict):
    n: int


class Fussy(msgspec.Struct):
    n: int

    def __post_init__(self) -> None:
        raise KeyError("not this one")


# How it is written


def test_it_is_a_sensor_that_takes_deliveries() -> None:
    sensor: Sensor[Any] = hook()
    assert isinstance(sensor, Receiving)
    assert isinstance(sensor, Explaining)
    assert (sensor.name, sensor.interval, sensor.in_words(None)) == ("hook", None, "takes what is sent to /hooks/hook")
    assert repr(sensor) == "<WebhookSensor 'hook': /hooks/hook>"


async def test_tried_it_is_ok_as_it_has_nothing_to_reach() -> None:
    sensor: Sensor[Any] = hook()
    trials = Trials([sensor])
    await trials.run(lambda one: outside(one.name))
    assert trials.results() == [Trial("hook", "ok")]


WRONG = {
    "no secret": ({}, "give secrets=Secret.of_variable('HOOK_SECRET'), or say unsigned=True"),
    "none at all": ({"secrets": []}, "has no secret"),
    "three": ({"secrets": [STANDARD] * 3}, "has 3 secrets: two are enough"),
    "a text": ({"secrets": ["whsec_AAAA"]}, "secrets are given as Secret"),
    "one text": ({"secrets": "whsec_AAAA"}, "secrets are given as Secret"),
    "no base64": ({"secrets": Secret("whsec_!!!!")}, "is written whsec_ and then base64"),
    "not ASCII": ({"secrets": Secret("whsec_\u0661\u0661\u0661\u0661")}, "is written whsec_ and then base64"),
    "short key": ({"secrets": Secret("whsec_" + base64.b64encode(bytes(23)).decode())}, "stands for 24 to 64 bytes: this one for 23"),
    "long key": ({"secrets": Secret("whsec_" + base64.b64encode(bytes(65)).decode())}, "stands for 24 to 64 bytes: this one for 65"),
    "short token": ({"scheme": "bearer", "secrets": Secret("hunter2")}, "a secret of 7 characters can be guessed"),
    "odd token": ({"scheme": "github", "secrets": Secret("\ud800" * 20)}, "printable ASCII"),
    "unsigned with a secret": ({"secrets": STANDARD, "unsigned": True}, "say opposite things"),
    "scheme": ({"secrets": STANDARD, "scheme": "basic"}, "scheme='basic' is unknown: use 'standard', 'github'"),
    "under": ({"secrets": STANDARD, "scheme": "clouds"}, "scheme='clouds' is unknown"),
    "name": ({"secrets": STANDARD, "name": "a/b"}, "can't name a hook"),
    "schema": ({"secrets": STANDARD, "schema": "Order"}, "is no type that JSON can be read as"),
    "content": ({"secrets": STANDARD, "content": "xml"}, "content='xml' is unknown: use 'json' or 'bytes'"),
    "bytes with schema": ({"secrets": STANDARD, "content": "bytes", "schema": Order}, "isn't looked into"),
    "bytes with a place": ({"secrets": STANDARD, "content": "bytes", "dedup": "id"}, "isn't looked into"),
    "bytes of clouds": ({"secrets": PLAIN, "content": "bytes", "scheme": "cloudevents"}, "isn't looked into"),
    "dedup": ({"secrets": STANDARD, "dedup": "data..id"}, "is no place in a JSON document"),
    "empty dedup": ({"secrets": STANDARD, "dedup": ""}, "is the whole payload"),
    "dedup number": ({"secrets": STANDARD, "dedup": 5}, "is neither a place in the payload nor a function"),
    "response": ({"secrets": STANDARD, "response": 500}, "would say that the delivery failed"),
    "largest": ({"secrets": STANDARD, "largest": "1 big"}, "'1 big' is no size"),
    "too large": ({"secrets": STANDARD, "largest": "1GiB"}, "is more than a hook may take: 64MiB"),
    "nothing": ({"secrets": STANDARD, "largest": 0}, "0 is no size"),
}


@pytest.mark.parametrize(("options", "told"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_meant_names_the_line(options: dict[str, Any], told: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        WebhookSensor(**{"name": "hook", **options})
    assert told in str(caught.value)
    assert "test_sensor.py:" in str(caught.value)


def test_A21_an_empty_secret_is_refused_where_it_is_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EMPTY", "")
    (tmp_path / "empty").write_text(" \n")
    for make in (lambda: Secret(""), lambda: Secret.of_variable("EMPTY"), lambda: Secret.of_file(tmp_path / "empty")):
        with pytest.raises(ValueError, match=r"isn't (empty|set)|is empty"):
            make()


def test_no_error_and_no_repr_shows_a_secret() -> None:
    shown = [repr(hook(scheme=scheme)) for scheme in SCHEMES]
    for text in ("hunter2", "whsec_c2VjcmV0c2VjcmV0"):
        with pytest.raises(DefinitionError) as caught:
            hook(scheme="standard" if "_" in text else "bearer", secrets=Secret(text))
        shown.append(str(caught.value))
    for secret in (PLAIN, STANDARD, Secret("hunter2"), Secret("c2VjcmV0c2VjcmV0")):
        assert not any(secret.reveal() in one for one in shown)


@pytest.mark.parametrize("wrong", [{"algorithm": "md5"}, {"encoding": "hex64"}, {"header": "a b"}, {"timestamp": ""}, {"prefix": "ä"}])
def test_options_of_hmac_that_cannot_be_meant_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"is unknown|is no header's name|isn't ASCII"):
        HMAC(**wrong)


# What it yields by itself


async def test_it_looks_once_an_hour_so_that_old_identities_are_dropped() -> None:
    clock, book = VirtualClock(), Book()
    async with aclosing(hook().observe(None, book, outside("hook", clock=clock))) as observations:
        book.commit(await anext(observations))
        following = asyncio.ensure_future(anext(observations))
        await clock.advance(3599)
        assert not following.done()
        await clock.advance(1)
        book.commit(await following)
    assert (book.events, book.cursor, len(book.observations)) == ([], None, 2)


# Payloads


@pytest.mark.parametrize(
    ("schema", "body", "data"),
    [
        (Order, b'{"id":1}', Order(1)),
        (Parcel, b'{"weight":1.5}', Parcel(1.5)),
        (Row, b'{"n":1}', {"n": 1}),
        (dict[str, int], b'{"n":1}', {"n": 1}),
        (list[int], b"[1,2]", [1, 2]),
    ],
)
def test_a_payload_is_what_its_schema_says(schema: Any, body: bytes, data: object) -> None:
    assert taken(hook(schema=schema), standard(body), body).data == data


def test_a_payload_that_does_not_fit_is_told_why() -> None:
    refusal = refused(hook(schema=Order), standard(b'{"id":"1"}'), b'{"id":"1"}')
    assert (refusal.status, refusal.told) == (422, "its payload doesn't fit: Expected `int`, got `str` - at `$.id`")


def test_a_schema_that_raises_refuses_this_payload() -> None:
    refusal = refused(hook(schema=Fussy), standard(b'{"n":1}'), b'{"n":1}')
    assert (refusal.status, refusal.told) == (422, "its payload doesn't fit: KeyError: 'not this one'")


@pytest.mark.parametrize("body", [b'{"$path":"/etc/passwd"}', b'{"a":[{"$path":"x"}]}'])
def test_A54_what_looks_like_a_value_of_our_own_is_refused(body: bytes) -> None:
    refusal = refused(hook(), standard(body), body)
    assert (refusal.status, "can't be kept as it is" in refusal.reason) == (422, True)


def test_opaque_bytes_are_the_data_as_they_stand() -> None:
    headers = {**standard(b"\xff\x00"), "content-type": "application/octet-stream"}
    event = taken(hook(content="bytes"), headers, b"\xff\x00")
    assert event.data == b"\xff\x00"
    assert codec.decode(codec.encode(event.data, bytes), bytes) == b"\xff\x00"


# Identities


@pytest.mark.parametrize(
    ("dedup", "body", "expected"),
    [
        ("id", b'{"id":"a-1"}', "a-1"),
        ("data.order.id", b'{"data":{"order":{"id":7}}}', "7"),
        ("items.1.id", b'{"items":[{"id":"x"},{"id":"y"}]}', "y"),
        ("items[1].id", b'{"items":[{"id":"x"},{"id":"y"}]}', "y"),
        ("items.1", b'{"items":{"1":"z"}}', "z"),
        ("the order.$ref", b'{"the order":{"$ref":"r"}}', "r"),
        ('["a.b"].id', b'{"a.b":{"id":"x"}}', "x"),
        (lambda payload: f"{payload['a']}/{payload['b']}", b'{"a":1,"b":2}', "1/2"),
        (lambda payload: payload["n"], b'{"n":-3}', "-3"),
    ],
)
def test_an_identity_of_ones_own_is_read_from_the_payload(dedup: Any, body: bytes, expected: str) -> None:
    assert taken(hook(dedup=dedup), standard(body), body).id == expected


def test_a_function_for_the_identity_gets_the_typed_payload() -> None:
    assert taken(hook(schema=Order, dedup=lambda order: order.id), standard(b'{"id":5}'), b'{"id":5}').id == "5"


FUNCTIONS: dict[str, Any] = {
    "raises": lambda payload: payload["no"],
    "gives nothing": lambda _: None,
    "gives a fraction": lambda _: 1.5,
    "gives an empty text": lambda _: "",
}


@pytest.mark.parametrize(
    "dedup",
    ["no", "id.deeper", "items.9", "items.x", "items.\u0660", "flag", "none", "long", "odd"]
    + [pytest.param(function, id=f"function that {what}") for what, function in FUNCTIONS.items()],
)
def test_a_payload_without_its_identity_is_refused(dedup: Any) -> None:
    body = msgspec.json.encode({"id": "a", "items": [1], "flag": True, "none": None, "long": "x" * 257, "odd": "a\nb"})
    refusal = refused(hook(dedup=dedup), standard(body), body)
    assert refusal.status == 422
    assert refusal.reason.startswith("its identity ")


def test_bodies_that_differ_are_different_events_and_equal_ones_the_same() -> None:
    sensor = hook(scheme="hmac")
    ids = [taken(sensor, signed(body), body).id for body in (b'{"n":1}', b'{"n":2}', b'{"n":1}')]
    assert ids == [digest(b'{"n":1}'), digest(b'{"n":2}'), digest(b'{"n":1}')]


# Answers


@pytest.mark.parametrize(
    ("response", "expected"), [(200, Reply(200)), (Reply(204), Reply(204)), (Reply(200, "ok"), Reply(200, "ok")), (None, None)]
)
def test_the_answer_is_what_the_sender_wants(response: Any, expected: Reply | None) -> None:
    got = send(hook(response=response), standard(b"{}"), b"{}")
    assert isinstance(got, Received)
    assert got.reply == expected


# Totality


SENDERS = dict(zip(SCHEMES, [standard, github, gitlab, stripe, slack, signed, bearer], strict=True))
HOOKS = [
    *((hook(scheme=scheme), sender) for scheme, sender in SENDERS.items()),
    (hook(scheme=HMAC(timestamp="X-Time", encoding="base64", algorithm="sha512")), signed),
    (hook(schema=Order), standard),
    (hook(schema=Fussy, scheme="bearer"), bearer),
    (hook(scheme="bearer", dedup="a.b"), bearer),
    (hook(scheme="bearer", dedup=lambda payload: payload["a"]["b"]), bearer),
    (hook(scheme="github", content="bytes"), github),
    (hook(scheme="cloudevents"), bearer),
    (hook(scheme=CloudEvents("hmac"), schema=Order), signed),
    (hook(secrets=(), unsigned=True), bearer),
    (hook(secrets=(), unsigned=True, scheme="cloudevents"), bearer),
]
NAMES = [
    *sorted({name for sender in SENDERS.values() for name in sender(b"")}),
    "x-time",
    "content-encoding",
    "idempotency-key",
    *(f"ce-{name}" for name in ("id", "source", "type", "specversion", "time", "subject")),
]
TYPES = [
    "application/json",
    "application/cloudevents+json",
    "application/cloudevents-batch+json",
    "text/plain",
    "application/json; charset=utf-16",
]

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["\x00", "evt_1", "1.0", "2026-01-01T00:00:00Z"]),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["id", "a", "data", "$path", "type", "specversion", "source"]), inner)
    ),
    max_leaves=8,
)


def dumps(value: object) -> bytes:
    return json.dumps(value).encode("utf-8", "surrogatepass")


bodies = st.binary() | json_like.map(dumps) | st.sampled_from([b"", b"{}", b"[]", b"[" * 2000, b'{"a":1,"a":2}'])
odd_headers = st.lists(st.tuples(st.sampled_from([name.encode() for name in NAMES]) | st.binary(), st.binary()), max_size=4)


@settings(PATIENT, max_examples=1000)
@given(st.sampled_from(HOOKS), odd_headers, bodies, st.integers(-(2**63), 2**63))
def test_no_headers_and_no_body_make_it_raise(one: Any, headers: list[tuple[bytes, bytes]], body: bytes, now: int) -> None:
    assert isinstance(one[0].receive(headers, body, now), Received | Refusal)


@settings(PATIENT, max_examples=1000)
@given(st.sampled_from(HOOKS), st.sampled_from(TYPES), odd_headers, bodies)
def test_no_signed_delivery_makes_it_raise_and_what_it_takes_can_be_stored(
    one: Any, kind: str, more: list[tuple[bytes, bytes]], body: bytes
) -> None:
    sensor, sender = one
    headers = [*raw({**sender(body), "content-type": kind}), *more]
    got = sensor.receive(headers, body, NOW * 1_000_000)
    assert isinstance(got, Received | Refusal)
    for event in got.events if isinstance(got, Received) else ():
        annotation: Any = Any if type(event.data) in (dict, list) else type(event.data)
        assert codec.decode(codec.encode(event.data, annotation), annotation) == event.data
        msgspec.json.encode((event.id, event.type, event.subject))
        assert event.id
        assert "\x00" not in event.id


@settings(PATIENT, max_examples=400)
@given(st.sampled_from(list(SENDERS.items())), st.data())
def test_one_byte_changed_in_what_is_signed_or_in_the_signature_is_refused(named: tuple[str, Any], data: st.DataObject) -> None:
    scheme, sender = named
    body = b'{"id":"evt_1","n":12345}'
    headers = sender(body)
    proof = {"gitlab": "x-gitlab-token", "bearer": "authorization"}.get(scheme)
    target = data.draw(
        st.sampled_from([*(["body"] if proof is None else []), proof or next(name for name in headers if "signature" in name.lower())])
    )
    value = bytearray(body if target == "body" else headers[target].encode())
    place = data.draw(st.integers(0, len(value) - 1))
    value[place] ^= data.draw(st.integers(1, 255))
    if target == "body":
        body = bytes(value)
    else:
        headers = {**headers, target: bytes(value)}
    got = send(hook(scheme=scheme), headers, body)
    if isinstance(got, Received):  # letters of another size in `Bearer`, and Stripe's other signature, prove nothing and harm nothing
        before = sender(b'{"id":"evt_1","n":12345}')[target].encode()
        assert (scheme == "bearer" and bytes(value).lower() == before.lower() and place < 6) or (
            scheme == "stripe" and place > before.index(b",v0")
        )
    else:
        assert got.status == 401
