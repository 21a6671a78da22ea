"""Schemes: how a delivery proves that it comes from who knows the secret, and what it says of itself beside its body.

Where a scheme signs the body, a header beside it can be changed by whoever sees a delivery. So what is taken for the identity of an event
is never such a header, only what is signed: an id that the signature covers, one in the body, or the digest of what was signed.
"""

from __future__ import annotations

import base64
import binascii
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, cast

import msgspec

from eventflow.secret import Secret
from eventflow.sensors.webhooks.delivery import LONGEST_WORD, Delivery, Headers
from eventflow.sensors.webhooks.received import Reply, Unverified
from eventflow.sensors.webhooks.signatures import Algorithm, candidates, check, check_token, digest, instant, mac, signature

SHORTEST = 16
"""The fewest characters of a secret: shorter ones can be guessed."""


@dataclass(frozen=True, slots=True)
class Verified:
    """A delivery that is genuine: what tells it from every other one, and when it was signed (microseconds UTC), where that is known."""

    id: str
    time: int | None = None


class Scheme(ABC):
    """How deliveries are verified.

    `id_field` is where in the payload, if anywhere, a sender of this kind puts the event's id. `passing` are fields of the payload that
    may differ between two deliveries of one event. `signs_body` is False where a token stands for the whole delivery.
    """

    id_field: ClassVar[str | None] = None
    passing: ClassVar[frozenset[str]] = frozenset()
    signs_body: ClassVar[bool] = True
    is_open: ClassVar[bool] = False

    def key(self, secret: Secret) -> bytes:
        """Give the key that a secret stands for. Raises `ValueError`, which doesn't name it, for one that can't be meant."""
        text = secret.reveal()
        if len(text) < SHORTEST:
            raise ValueError(f"a secret of {len(text)} characters can be guessed: use one of at least {SHORTEST}")
        if not text.isascii() or not text.isprintable():
            raise ValueError("a secret is made of printable ASCII characters: this one has others")
        return text.encode("ascii")

    def named(self, payload: object) -> str | None:
        """Give the event's id, where the payload has it at `id_field`."""
        return _word(None if self.id_field is None else _fields(payload).get(self.id_field))

    def lasting(self, body: bytes, payload: object) -> tuple[bytes, object]:
        """Give a body and its payload without what may differ between two deliveries of one event."""
        fields = _fields(payload)
        if not self.passing & fields.keys():
            return body, payload
        kept = {key: value for key, value in fields.items() if key not in self.passing}
        return msgspec.json.encode(kept), kept

    @abstractmethod
    def verify(self, delivery: Delivery, keys: Sequence[bytes]) -> Verified:
        """Give what is known of a genuine delivery. Raises `Unverified` for any other, and nothing else."""

    def kind(self, headers: Headers, payload: object) -> str | None:  # noqa: ARG002 - for others that look there
        """Give the type of the event, where the sender says it."""
        return _word(_fields(payload).get("type"))

    def greeting(self, headers: Headers, payload: object) -> Reply | None:  # noqa: ARG002 - see above
        """Give the answer to what the sender only asks to see whether somebody is there. None for an event."""
        return None


class Standard(Scheme):
    """Standard Webhooks: `webhook-id`, `webhook-timestamp` and `webhook-signature` with `v1` signatures. Secrets begin with `whsec_`."""

    def key(self, secret: Secret) -> bytes:
        written = secret.reveal().removeprefix("whsec_")
        try:
            key = base64.b64decode(written, validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("a secret of the scheme 'standard' is written whsec_ and then base64: this one isn't") from None
        if not 24 <= len(key) <= 64:
            raise ValueError(f"a secret of the scheme 'standard' stands for 24 to 64 bytes: this one for {len(key)}")
        return key

    def verify(self, delivery: Delivery, keys: Sequence[bytes]) -> Verified:
        named = delivery.headers.word("webhook-id")
        if named is None or " " in named or "." in named:  # what is signed joins three parts by dots
            raise Unverified("its webhook-id is missing, or isn't a short word without dots")
        written = delivery.headers.get("webhook-timestamp")
        at = instant(written, delivery.now)
        given = candidates(signature(delivery.headers.get("webhook-signature"), "webhook-signature"), b" ")
        start = named.encode() + b"." + (written or b"") + b"."
        right = [b"v1," + base64.b64encode(mac(key, start, delivery.body)) for key in keys]
        check(right, given)
        return Verified(named, at)


class GitHub(Scheme):
    """GitHub: `X-Hub-Signature-256`. It signs neither its delivery's id nor a time: two deliveries of the same bytes are one event."""

    def verify(self, delivery: Delivery, keys: Sequence[bytes]) -> Verified:
        given = signature(delivery.headers.get("x-hub-signature-256"), "X-Hub-Signature-256")
        check([b"sha256=" + mac(key, delivery.body).hex().encode() for key in keys], [given])
        return Verified(digest(delivery.body))

    def kind(self, headers: Headers, payload: object) -> str | None:  # noqa: ARG002 - GitHub says it beside the payload
        return headers.word("x-github-event")

    def greeting(self, headers: Headers, payload: object) -> Reply | None:  # noqa: ARG002 - see above
        return Reply(body="pong") if headers.word("x-github-event") == "ping" else None


class GitLab(Scheme):
    """GitLab: `X-Gitlab-Token`, which is the secret itself."""

    signs_body = False

    def verify(self, delivery: Delivery, keys: Sequence[bytes]) -> Verified:
        check_token(keys, signature(delivery.headers.get("x-gitlab-token"), "X-Gitlab-Token"))
        return _of_token(delivery)

    def kind(self, headers: Headers, payload: object) -> str | None:  # noqa: ARG002 - GitLab says it beside the payload
        return headers.word("x-gitlab-event")


class Stripe(Scheme):
    """Stripe: `Stripe-Signature` with a time and `v1` signatures; the event's id is in the payload."""

    id_field = "id"
    passing = frozenset({"pending_webhooks"})

    def verify(self, delivery: Delivery, keys: Sequence[bytes]) -> Verified:
        parts = candidates(signature(delivery.headers.get("stripe-signature"), "Stripe-Signature"), b",")
        times = [part[2:] for part in parts if part.startswith(b"t=")]
        written = times[0] if len(times) == 1 else None
        at = instant(written, delivery.now)
        start = (written or b"") + b"."
        check([b"v1=" + mac(key, start, delivery.body).hex().encode() for key in keys], parts)
        return Verified(digest(delivery.body), at)


class Slack(Scheme):
    """Slack: `X-Slack-Signature` and `X-Slack-Request-Timestamp`; the event's id is in the payload. Its challenge is answered."""

    id_field = "event_id"

    def verify(self, delivery: Delivery, keys: Sequence[bytes]) -> Verified:
        written = delivery.headers.get("x-slack-request-timestamp")
        at = instant(written, delivery.now)
        given = signature(delivery.headers.get("x-slack-signature"), "X-Slack-Signature")
        start = b"v0:" + (written or b"") + b":"
        check([b"v0=" + mac(key, start, delivery.body).hex().encode() for key in keys], [given])
        return Verified(digest(delivery.body), at)

    def greeting(self, headers: Headers, payload: object) -> Reply | None:  # noqa: ARG002 - Slack says it in the payload
        asked = _fields(payload)
        challenge = _word(asked.get("challenge"))
        return Reply(body=challenge) if challenge is not None and asked.get("type") == "url_verification" else None


@dataclass(frozen=True)
class HMAC(Scheme):
    """Any other sender that signs the body by HMAC.

    `header` holds `prefix` and then the signature, written as `encoding` says. With `timestamp`, the name of a header with the seconds
    since 1970, what is signed is that header's value, a dot, and the body; a delivery is then taken within five minutes only.
    """

    header: str = "X-Signature"
    algorithm: Algorithm = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""
    timestamp: str | None = None

    def __post_init__(self) -> None:
        for name, value, known in (("algorithm", self.algorithm, ("sha256", "sha512")), ("encoding", self.encoding, ("hex", "base64"))):
            if value not in known:
                raise ValueError(f"{name}={value!r} is unknown: use {' or '.join(map(repr, known))}")
        for name in (self.header, *([] if self.timestamp is None else [self.timestamp])):
            if not name.replace("-", "").isalnum() or not name.isascii():
                raise ValueError(f"{name!r} is no header's name")
        if not self.prefix.isascii():
            raise ValueError(f"prefix={self.prefix!r} isn't ASCII")

    def verify(self, delivery: Delivery, keys: Sequence[bytes]) -> Verified:
        given = signature(delivery.headers.get(self.header.lower()), self.header)
        start, at = b"", None
        if self.timestamp is not None:
            written = delivery.headers.get(self.timestamp.lower())
            at = instant(written, delivery.now)
            start = (written or b"") + b"."
        check([self._written(mac(key, start, delivery.body, algorithm=self.algorithm)) for key in keys], [given])
        return Verified(digest(start, delivery.body), at)

    def _written(self, made: bytes) -> bytes:
        return self.prefix.encode() + (made.hex().encode() if self.encoding == "hex" else base64.b64encode(made))


class Bearer(Scheme):
    """`Authorization: Bearer SECRET`. An `Idempotency-Key`, if there is one, tells an event from the others."""

    signs_body = False

    def verify(self, delivery: Delivery, keys: Sequence[bytes]) -> Verified:
        kind, _, token = signature(delivery.headers.get("authorization"), "Authorization").partition(b" ")
        if kind.lower() != b"bearer":
            raise Unverified("its Authorization isn't `Bearer` and a token")
        check_token(keys, token)
        return _of_token(delivery)


class Unsigned(Scheme):
    """No proof at all: whoever reaches the hook is believed."""

    signs_body = False
    is_open = True

    def verify(self, delivery: Delivery, keys: Sequence[bytes]) -> Verified:  # noqa: ARG002 - there are none
        return _of_token(delivery)


SCHEMES: Mapping[str, Scheme] = {
    "standard": Standard(),
    "github": GitHub(),
    "gitlab": GitLab(),
    "stripe": Stripe(),
    "slack": Slack(),
    "hmac": HMAC(),
    "bearer": Bearer(),
}


def scheme_of(given: str | Scheme) -> Scheme:
    """Give a scheme by its name. Raises `ValueError` for one that nobody knows."""
    if isinstance(given, Scheme):
        return given
    if given not in SCHEMES:
        raise ValueError(f"scheme={given!r} is unknown: use {', '.join(map(repr, (*SCHEMES, 'cloudevents')))}")
    return SCHEMES[given]


def _fields(payload: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", payload) if isinstance(payload, dict) else {}


def _word(said: object) -> str | None:
    return said if isinstance(said, str) and 0 < len(said) <= LONGEST_WORD and said.isprintable() else None


def _of_token(delivery: Delivery) -> Verified:
    return Verified(delivery.headers.word("idempotency-key") or digest(delivery.body))
