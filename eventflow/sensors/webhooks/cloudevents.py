"""CloudEvents 1.0 over HTTP: in binary mode (attributes in headers), structured mode (one JSON document), and batched (a list of these)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any, TypeVar
from urllib.parse import unquote_to_bytes

import msgspec

from eventflow.durations import instant_of
from eventflow.sensors.portions import PORTION
from eventflow.sensors.webhooks.delivery import LONGEST_WORD, Delivery, Headers
from eventflow.sensors.webhooks.gate import JSON, check_type, parse
from eventflow.sensors.webhooks.payload import Draft, fitted
from eventflow.sensors.webhooks.received import Unfit
from eventflow.sensors.webhooks.schemes import Scheme, Verified, scheme_of

_STRUCTURED, _BATCHED = b"application/cloudevents+json", b"application/cloudevents-batch+json"
_ATTRIBUTES = ("specversion", "id", "source", "type", "subject", "time")
_ESCAPED = re.compile(rb"(?:[\x20-\x24\x26-\x7e]|%[0-9A-Fa-f]{2})*+")

T = TypeVar("T")
Word = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_WORD)]


class Envelope(msgspec.Struct, frozen=True):
    """One event as CloudEvents writes it. Attributes that it has beside these are left out."""

    specversion: Word
    id: Word
    source: Word
    type: Word
    subject: Word | None = None
    time: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    datacontenttype: Word | None = None
    data: msgspec.Raw = msgspec.Raw(b"null")
    data_base64: str | None = None

    def __post_init__(self) -> None:
        if self.specversion != "1.0":
            raise ValueError(f"specversion is {self.specversion!r}, not '1.0'")
        if not all(word.isprintable() for word in (self.id, self.source, self.type, self.subject or "")):
            raise ValueError("an attribute has characters that can't be printed")
        if " " in self.source:  # the identity joins source and id by a space
            raise ValueError("the source is no URI: it has a space")


@dataclass(frozen=True)
class CloudEvents:
    """Deliveries that are CloudEvents, verified as `under` says: a scheme, or its name.

    An event's identity is its `source` and `id`, which makes it one event however often it is sent. In binary mode these are headers,
    which no signature covers: under a scheme that signs the body, two deliveries of the same bytes are one event there.
    """

    under: str | Scheme = "bearer"

    def __post_init__(self) -> None:
        scheme_of(self.under)


def drafts(delivery: Delivery, verified: Verified, scheme: Scheme, schema: Any, largest: int) -> tuple[list[Draft], bool]:
    """Give the events of a delivery, and whether they came as a batch. Refuses what is no CloudEvent."""
    headers, body = delivery.headers, delivery.body
    if not body and "content-type" not in headers:
        kind, plain, body = JSON, None, b"null"
    else:
        kind = check_type(headers, (JSON, _STRUCTURED, _BATCHED))
        plain = parse(body, largest)
    if kind == _BATCHED:
        return _batch(_read(body, list[Envelope]), schema), True
    if kind == _STRUCTURED:
        return [_draft(_read(body, Envelope), schema)], False
    told = _of_headers(headers)
    draft = _said(told, fitted(body, plain, schema), plain)
    return [replace(draft, id=verified.id) if scheme.signs_body else draft], False


def _batch(envelopes: Sequence[Envelope], schema: Any) -> list[Draft]:
    if len(envelopes) > PORTION:
        raise Unfit(413, f"its batch has {len(envelopes)} events: at most {PORTION} are taken at once")
    return [_draft(envelope, schema) for envelope in envelopes]


def _draft(told: Envelope, schema: Any) -> Draft:
    if told.data_base64 is not None:
        raise Unfit(415, "its data is base64: this hook takes JSON")
    if told.datacontenttype is not None and told.datacontenttype.lower().replace(" ", "") not in _JSON:
        raise Unfit(415, f"its datacontenttype isn't {JSON.decode()}")
    plain: object = msgspec.json.decode(told.data)
    return _said(told, fitted(bytes(told.data), plain, schema), plain)


def _said(told: Envelope, data: Any, plain: object) -> Draft:
    time = None if told.time is None else instant_of(told.time)
    return Draft(data, plain, f"{told.source} {told.id}", told.type, told.subject, time)


def _read(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError as error:
        raise Unfit(422, f"it is no CloudEvent: {error}") from error


def _of_headers(headers: Headers) -> Envelope:
    given = {name: _unescaped(headers.get(f"ce-{name}"), name) for name in _ATTRIBUTES if f"ce-{name}" in headers}
    try:
        return msgspec.convert(given, Envelope)
    except msgspec.MsgspecError as error:
        raise Unfit(422, f"it is no CloudEvent: {error}") from error


def _unescaped(value: bytes | None, name: str) -> str:
    if value is not None and len(value) <= 12 * LONGEST_WORD and _ESCAPED.fullmatch(value):
        try:
            return unquote_to_bytes(value).decode("utf-8")
        except UnicodeDecodeError:
            pass  # said below, with all others that can't be read
    raise Unfit(422, f"its ce-{name} is given twice, or isn't written as CloudEvents says")


_JSON = ("application/json", "application/json;charset=utf-8")
