"""Senders: deliveries as GitHub, Stripe and the others sign them, and hooks that take them."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from eventflow import Event, Secret, WebhookSensor
from eventflow.sensors.webhooks.received import Received, Refusal

NOW = 1_800_000_000
"""The instant at which all deliveries come, in seconds."""

KEY = bytes(range(32))
STANDARD = Secret("whsec_" + base64.b64encode(KEY).decode())
PLAIN = Secret("a secret of some length")

Raw = list[tuple[bytes, bytes]]


def raw(headers: Mapping[str, str | bytes]) -> Raw:
    return [(name.lower().encode(), value if isinstance(value, bytes) else value.encode("utf-8")) for name, value in headers.items()]


def mac(key: bytes, signed: bytes, algorithm: str = "sha256") -> bytes:
    return hmac.new(key, signed, algorithm).digest()


def standard(body: bytes, *, name: str = "msg_1", at: object = NOW, key: bytes = KEY, **more: str) -> dict[str, str]:
    signed = mac(key, f"{name}.{at}.".encode() + body)
    return {
        "content-type": "application/json",
        "webhook-id": name,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
        **more,
    }


def github(body: bytes, *, secret: Secret = PLAIN, delivery: str = "d-1", event: str = "push", **more: str) -> dict[str, str]:
    signed = mac(secret.reveal().encode(), body).hex()
    return {
        "content-type": "application/json",
        "x-github-event": event,
        "x-github-delivery": delivery,
        "x-hub-signature-256": f"sha256={signed}",
        **more,
    }


def stripe(body: bytes, *, secret: Secret = PLAIN, at: object = NOW) -> dict[str, str]:
    signed = mac(secret.reveal().encode(), f"{at}.".encode() + body).hex()
    return {"content-type": "application/json; charset=utf-8", "stripe-signature": f"t={at},v1={signed},v0={'0' * 64}"}


def slack(body: bytes, *, secret: Secret = PLAIN, at: object = NOW) -> dict[str, str]:
    signed = mac(secret.reveal().encode(), f"v0:{at}:".encode() + body).hex()
    return {"content-type": "application/json", "x-slack-request-timestamp": str(at), "x-slack-signature": f"v0={signed}"}


def bearer(body: bytes = b"", *, secret: Secret = PLAIN, **more: str) -> dict[str, str]:
    return {"content-type": "application/json", "authorization": f"Bearer {secret.reveal()}", **more}


def gitlab(body: bytes = b"", *, secret: Secret = PLAIN, **more: str) -> dict[str, str]:
    return {"content-type": "application/json", "x-gitlab-token": secret.reveal(), "x-gitlab-event": "Push Hook", **more}


def signed(body: bytes, *, secret: Secret = PLAIN, header: str = "X-Signature", **more: str) -> dict[str, str]:
    return {"content-type": "application/json", header: mac(secret.reveal().encode(), body).hex(), **more}


def hook(**options: Any) -> WebhookSensor[Any]:
    scheme = options.get("scheme", "standard")
    return WebhookSensor("hook", **{"secrets": STANDARD if scheme == "standard" else PLAIN, **options})


def send(sensor: WebhookSensor[Any], headers: Mapping[str, str | bytes] | Raw, body: bytes, *, now: int = NOW) -> Received[Any] | Refusal:
    return sensor.receive(headers if isinstance(headers, list) else raw(headers), body, now * 1_000_000)


def taken(sensor: WebhookSensor[Any], headers: Mapping[str, str | bytes] | Raw, body: bytes) -> Event[Any]:
    got = send(sensor, headers, body)
    assert isinstance(got, Received), got
    (event,) = got.events
    return event


def refused(sensor: WebhookSensor[Any], headers: Mapping[str, str | bytes] | Raw, body: bytes, *, now: int = NOW) -> Refusal:
    got = send(sensor, headers, body, now=now)
    assert isinstance(got, Refusal), got
    return got


def digest(signed: bytes) -> str:
    return f"sha256-{hashlib.sha256(signed).hexdigest()}"
