"""CloudEvents in its three modes."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from eventflow.sensors.webhooks.received import Received
from eventflow.sensors.webhooks.sensor import CloudEvents
from tests.sensors.webhooks.senders import NOW, STANDARD, bearer, digest, hook, refused, send, signed, standard, taken

STRUCTURED, BATCHED = "application/cloudevents+json", "application/cloudevents-batch+json"
EVENT = {"specversion": "1.0", "id": "A-1", "source": "/shop", "type": "order.paid", "data": {"n": 1}}
HEADERS = {"ce-specversion": "1.0", "ce-id": "A-1", "ce-source": "/shop", "ce-type": "order.paid"}


class Order(msgspec.Struct):
    n: int


def structured(without: str = "", **changes: object) -> tuple[dict[str, str], bytes]:
    body = msgspec.json.encode({name: value for name, value in {**EVENT, **changes}.items() if name != without})
    return {**bearer(body), "content-type": STRUCTURED}, body


def binary(body: bytes = b'{"n":1}', **changes: str | None) -> dict[str, str]:
    given: dict[str, Any] = {**bearer(body), **HEADERS, **{name.replace("_", "-"): value for name, value in changes.items()}}
    return {name: value for name, value in given.items() if value is not None}


def batch(*events: object) -> tuple[dict[str, str], bytes]:
    body = msgspec.json.encode(events)
    return {**bearer(body), "content-type": BATCHED}, body


def test_structured_and_binary_mode_give_the_same_event() -> None:
    sensor = hook(scheme="cloudevents", schema=Order)
    event = taken(sensor, *structured())
    assert event == taken(sensor, binary(), b'{"n":1}')
    assert (event.id, event.source, event.type, event.data) == ("/shop A-1", "hook", "order.paid", Order(1))
    assert (event.subject, event.time) == (None, NOW * 1_000_000)


def test_subject_and_time_are_taken_over() -> None:
    sensor = hook(scheme="cloudevents")
    told = taken(sensor, *structured(subject="order 7", time="1970-01-01T01:00:01.5+01:00", other="left out"))
    assert (told.subject, told.time) == ("order 7", 1_500_000)
    assert taken(sensor, binary(ce_subject="%C3%A4%25", ce_time="1970-01-01T00:00:02Z"), b'{"n":1}').subject == "ä%"


def test_a_batch_is_several_events_answered_one_by_one() -> None:
    got = send(hook(scheme="cloudevents"), *batch(EVENT, {**EVENT, "id": "A-2"}, EVENT))
    assert isinstance(got, Received)
    assert [event.id for event in got.events] == ["/shop A-1", "/shop A-2"]
    assert got.batched
    empty = send(hook(scheme="cloudevents"), *batch())
    assert empty == Received((), batched=True)


def test_an_event_may_have_no_data() -> None:
    assert taken(hook(scheme="cloudevents"), *structured(without="data")).data is None
    without_type = {name: value for name, value in binary(b"").items() if name != "content-type"}
    assert taken(hook(scheme="cloudevents"), without_type, b"").data is None


WRONG = {
    "version": (structured(specversion="0.3"), 422, "specversion is '0.3'"),
    "no id": (structured(without="id"), 422, "missing required field `id`"),
    "empty id": (structured(id=""), 422, "length >= 1"),
    "number": (structured(id=5), 422, "Expected `str`, got `int`"),
    "long": (structured(type="x" * 257), 422, "length <= 256"),
    "odd": (structured(subject="a\nb"), 422, "can't be printed"),
    "space": (structured(source="a b"), 422, "it has a space"),
    "naive time": (structured(time="2026-01-01T00:00:00"), 422, "timezone"),
    "no time": (structured(time="yesterday"), 422, "Invalid RFC3339"),
    "base64": (structured(data_base64="AAAA"), 415, "its data is base64"),
    "xml": (structured(datacontenttype="text/xml"), 415, "datacontenttype isn't application/json"),
    "schema": (structured(data={"n": "x"}), 422, "Expected `int`, got `str` - at `$.n`"),
    "list": (({**bearer(), "content-type": STRUCTURED}, b"[]"), 422, "no CloudEvent"),
    "no list": (({**bearer(), "content-type": BATCHED}, b"{}"), 422, "no CloudEvent"),
    "one of many": (batch(EVENT, {"id": "x"}), 422, "no CloudEvent"),
    "two of one id": (batch(EVENT, {**EVENT, "data": {"n": 2}}), 409, "say different things and are both '/shop A-1'"),
    "many": (batch(*({**EVENT, "id": str(n)} for n in range(501))), 413, "at most 500"),
    "header missing": ((binary(ce_id=None), b'{"n":1}'), 422, "missing required field `id`"),
    "header empty": ((binary(ce_id=""), b'{"n":1}'), 422, "length >= 1"),
    "header escape": ((binary(ce_id="%zz"), b'{"n":1}'), 422, "ce-id is given twice, or isn't written as"),
    "header UTF-8": ((binary(ce_id="%ff"), b'{"n":1}'), 422, "ce-id is given twice, or isn't written as"),
    "header raw": ((binary(ce_id="ä"), b'{"n":1}'), 422, "ce-id is given twice, or isn't written as"),
    "other type": ((binary(**{"content-type": "text/plain"}), b'{"n":1}'), 415, "Content-Type"),
    "no token": (({name: value for name, value in binary().items() if name != "authorization"}, b'{"n":1}'), 401, "Authorization"),
}


@pytest.mark.parametrize(("delivery", "status", "told"), WRONG.values(), ids=WRONG)
def test_what_is_no_cloud_event_is_refused(delivery: tuple[dict[str, str], bytes], status: int, told: str) -> None:
    refusal = refused(hook(scheme="cloudevents", schema=Order), *delivery)
    assert refusal.status == status
    assert told in refusal.reason


def test_P19_in_binary_mode_a_signed_body_is_the_identity_for_no_signature_covers_the_headers() -> None:
    sensor = hook(scheme=CloudEvents("hmac"))
    headers = [{**signed(b'{"n":1}'), **HEADERS, "ce-id": name} for name in ("A-1", "A-2")]
    assert [taken(sensor, one, b'{"n":1}').id for one in headers] == [digest(b'{"n":1}')] * 2
    _, body = structured()
    assert taken(sensor, {**signed(body), "content-type": STRUCTURED}, body).id == "/shop A-1"


def test_any_scheme_may_be_under_it() -> None:
    body = structured()[1]
    sensor = hook(scheme=CloudEvents("standard"), secrets=STANDARD)
    assert taken(sensor, {**standard(body), "content-type": STRUCTURED}, body).id == "/shop A-1"
    with pytest.raises(ValueError, match="scheme='none' is unknown"):
        CloudEvents("none")
