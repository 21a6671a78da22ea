"""The webhook sensor: a hook at `/hooks/NAME`, at which each signed delivery is an event."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from typing import Any, Generic, Literal, TypeVar, overload

import msgspec

from eventflow.definition.places import naming_the_line, user_place
from eventflow.events import Event, Observation
from eventflow.ports import Seen, World
from eventflow.secret import Secret
from eventflow.sensors.options import choice, name_of
from eventflow.sensors.paths import parsed
from eventflow.sensors.sizes import Size, size
from eventflow.sensors.webhooks import cloudevents
from eventflow.sensors.webhooks.cloudevents import CloudEvents
from eventflow.sensors.webhooks.delivery import Delivery, Headers
from eventflow.sensors.webhooks.gate import MEBIBYTE, check_encoding, check_type, parse
from eventflow.sensors.webhooks.payload import Dedup, Draft, Identify, check_storable, fitted, identity
from eventflow.sensors.webhooks.received import Received, Receiving, Refusal, Reply, Unfit
from eventflow.sensors.webhooks.schemes import HMAC, Scheme, Unsigned, Verified, scheme_of

__all__ = ["HMAC", "CloudEvents", "Received", "Receiving", "Refusal", "Reply", "Scheme", "WebhookSensor"]

Content = Literal["json", "bytes"]

LARGEST = 64 * MEBIBYTE
"""The most that a hook may be told to take: bodies are held in memory."""

D = TypeVar("D")
T = TypeVar("T")

_BEAT = 3600.0


class WebhookSensor(Generic[D]):
    """Fires once for each delivery that is sent to `/hooks/NAME` and proves to come from who knows the secret, however often it is sent.

    `secrets` is one `Secret`, or two while it is being changed. `scheme` says how deliveries are verified: `"standard"` (Standard
    Webhooks), `"github"`, `"gitlab"`, `"stripe"`, `"slack"`, `"hmac"`, `"bearer"`, `"cloudevents"`, or one with options: `HMAC(...)`,
    `CloudEvents(under=...)`. Only `unsigned=True` does without: then everybody who reaches the hook is believed.

    The event's data is the payload, as `schema` wants it: a struct, a dataclass, a `TypedDict`; without one, plain data. What doesn't fit
    is refused. With `content="bytes"` the body isn't looked into, and is the data as it stands. `dedup` tells an event from the others:
    where that stands in the payload, such as `"data.id"`, or a function of the payload; without it, it is the id that the scheme signs,
    or else the digest of what was signed. `response`, a `Reply` or a status, is what the sender is answered in place of the event's id
    and its runs. `largest` is the most bytes of a body.

    Raises `DefinitionError`, which names the line, for what can't be meant, and for secrets that are missing, empty, or too short.
    """

    @overload
    def __init__(
        self: WebhookSensor[T],
        name: str,
        *,
        secrets: Secret | Sequence[Secret] = (),
        scheme: str | Scheme | CloudEvents = "standard",
        schema: type[T],
        dedup: Dedup | None = None,
        response: Reply | int | None = None,
        unsigned: bool = False,
        largest: Size = "1MiB",
    ) -> None: ...
    @overload
    def __init__(
        self: WebhookSensor[bytes],
        name: str,
        *,
        secrets: Secret | Sequence[Secret] = (),
        scheme: str | Scheme = "standard",
        content: Literal["bytes"],
        dedup: Dedup | None = None,
        response: Reply | int | None = None,
        unsigned: bool = False,
        largest: Size = "1MiB",
    ) -> None: ...
    @overload
    def __init__(
        self: WebhookSensor[Any],
        name: str,
        *,
        secrets: Secret | Sequence[Secret] = (),
        scheme: str | Scheme | CloudEvents = "standard",
        dedup: Dedup | None = None,
        response: Reply | int | None = None,
        unsigned: bool = False,
        largest: Size = "1MiB",
    ) -> None: ...
    def __init__(
        self,
        name: str,
        *,
        secrets: Secret | Sequence[Secret] = (),
        scheme: str | Scheme | CloudEvents = "standard",
        schema: Any = Any,
        content: Content = "json",
        dedup: Dedup | None = None,
        response: Reply | int | None = None,
        unsigned: bool = False,
        largest: Size = "1MiB",
    ) -> None:
        self.place = user_place()
        with naming_the_line():
            self._name = name_of(name, "hook")
            self._is_cloud = scheme == "cloudevents" or isinstance(scheme, CloudEvents)
            self._scheme = _scheme(scheme, unsigned=unsigned)
            self._keys = _keys(self._scheme, secrets, name)
            self._schema: Any = _schema(schema)
            self._content = _content(content, schema, dedup, is_cloud=self._is_cloud)
            self._dedup = _dedup(dedup)
            self._response = Reply(response) if isinstance(response, int) else response
            self._largest = _largest(largest)

    def __repr__(self) -> str:
        return f"<WebhookSensor {self.name!r}: /hooks/{self.name}>"

    @property
    def name(self) -> str:
        """What its events carry as their source, and the last part of its address."""
        return self._name

    @property
    def interval(self) -> None:
        """None: it is others who decide when a delivery comes."""
        return

    @property
    def largest(self) -> int:
        """The most bytes of a body."""
        return self._largest

    @property
    def is_open(self) -> bool:
        """Whether everybody who reaches the hook is believed."""
        return self._scheme.is_open

    async def observe(self, cursor: object, seen: Seen, world: World) -> AsyncGenerator[Observation[D], None]:  # noqa: ARG002 - the port has them
        """Yield nothing, now and then: deliveries come by another way. After each, identities that are kept no longer are dropped."""
        while True:
            yield Observation()
            await world.clock.sleep(_BEAT)

    def in_words(self, cursor: object) -> str:  # noqa: ARG002 - the port has it
        """Say what this sensor waits for."""
        return f"takes what is sent to /hooks/{self.name}"

    async def check(self, world: World) -> None:
        """Return: deliveries are sent here, so there is nothing to reach, and secrets and scheme were checked when the hook was made."""

    def receive(self, headers: Iterable[tuple[bytes, bytes]], body: bytes, now: int) -> Received[D] | Refusal:
        """Verify and read a delivery, changing nothing. `now` is in microseconds UTC. No input makes it raise."""
        try:
            return self._read(Delivery(Headers(headers), body, now))
        except Unfit as unfit:
            return unfit.refusal

    def _read(self, delivery: Delivery) -> Received[D]:
        if len(delivery.body) > self._largest:
            raise Unfit(413, f"its body is larger than {self._largest} bytes")
        verified = self._scheme.verify(delivery, self._keys)  # before anything is made of the body
        check_encoding(delivery.headers)
        if self._content == "bytes":
            return self._received([Draft(delivery.body, None, verified.id, time=verified.time)], delivery)
        if self._is_cloud:
            found, batched = cloudevents.drafts(delivery, verified, self._scheme, self._schema, self._largest)
            return self._received(found, delivery, batched=batched)
        return self._plain(delivery, verified)

    def _plain(self, delivery: Delivery, verified: Verified) -> Received[D]:
        check_type(delivery.headers)
        plain = parse(delivery.body, self._largest)
        if greeting := self._scheme.greeting(delivery.headers, plain):
            return Received((), reply=greeting)
        raw, plain = self._scheme.lasting(delivery.body, plain)
        kind = self._scheme.kind(delivery.headers, plain)
        named = self._scheme.named(plain) or verified.id
        draft = Draft(fitted(raw, plain, self._schema), plain, named, kind, time=verified.time)
        return self._received([draft], delivery)

    def _received(self, found: Sequence[Draft], delivery: Delivery, *, batched: bool = False) -> Received[D]:
        events: dict[str, Event[D]] = {}
        for draft in found:
            event = self._event(draft, delivery.now)
            if events.setdefault(event.id, event).data != event.data:
                raise Unfit(409, f"its batch has two events that say different things and are both {event.id!r}")
        return Received(tuple(events.values()), batched, self._response)

    def _event(self, draft: Draft, now: int) -> Event[D]:
        check_storable(draft.data)
        named = draft.id if self._dedup is None else identity(self._dedup, draft.data, draft.plain)
        time = now if draft.time is None else draft.time
        return Event(id=named, source=self.name, type=draft.kind or self.name, data=draft.data, time=time, subject=draft.subject)


def _scheme(given: str | Scheme | CloudEvents, *, unsigned: bool) -> Scheme:
    wanted = CloudEvents() if given == "cloudevents" else given
    under = scheme_of(wanted.under if isinstance(wanted, CloudEvents) else wanted)
    return Unsigned() if unsigned else under


def _keys(scheme: Scheme, secrets: Secret | Sequence[Secret], name: str) -> tuple[bytes, ...]:
    given = (secrets,) if isinstance(secrets, Secret) else tuple(secrets)
    if not all(isinstance(one, Secret) for one in given):  # pyright: ignore[reportUnnecessaryIsInstance] - what people write
        raise ValueError("secrets are given as Secret: Secret.of_variable('NAME'), Secret.of_file('path')")
    if scheme.is_open:
        if given:
            raise ValueError("unsigned=True and secrets say opposite things: leave one of them out")
        return ()
    if not given:
        variable = name.upper().replace("-", "_")
        raise ValueError(f"hook {name!r} has no secret: give secrets=Secret.of_variable('{variable}_SECRET'), or say unsigned=True")
    if len(given) > 2:
        raise ValueError(f"hook {name!r} has {len(given)} secrets: two are enough, the new one and the old one")
    return tuple(scheme.key(one) for one in given)


def _schema(schema: Any) -> Any:
    if schema is Any:
        return Any
    try:
        msgspec.json.Decoder(schema, dec_hook=_later)
    except TypeError as error:
        raise ValueError(f"schema={schema!r} is no type that JSON can be read as: {error}") from error
    return schema


def _later(kind: type[Any], value: object) -> object:
    raise NotImplementedError


def _content(content: Content, schema: Any, dedup: Dedup | None, *, is_cloud: bool) -> Content:
    choice("content", content, Content)
    if content == "bytes" and (schema is not Any or is_cloud or isinstance(dedup, str)):
        raise ValueError("content='bytes' isn't looked into: it goes with no schema, no place for dedup, and no CloudEvents")
    return content


def _dedup(dedup: Dedup | None) -> Identify | None:
    if isinstance(dedup, str):
        place = parsed(dedup, "dedup")
        if not place.steps:
            raise ValueError(f"dedup={dedup!r} is the whole payload: write where in it the identity stands, as in 'data.id'")
        return place
    if dedup is not None and not callable(dedup):
        raise ValueError(f"dedup={dedup!r} is neither a place in the payload nor a function of it")
    return dedup


def _largest(largest: Size) -> int:
    length = size(largest)
    if length > LARGEST:
        raise ValueError(f"largest={largest!r} is more than a hook may take: {LARGEST // MEBIBYTE}MiB, for bodies are held in memory")
    return length
