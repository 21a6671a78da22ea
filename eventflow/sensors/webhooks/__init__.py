"""Deliveries that are events: `WebhookSensor`, and what it is told with."""

from __future__ import annotations

from eventflow.sensors.webhooks.sensor import HMAC, CloudEvents, Received, Receiving, Refusal, Reply, Scheme, WebhookSensor

__all__ = ["HMAC", "CloudEvents", "Received", "Receiving", "Refusal", "Reply", "Scheme", "WebhookSensor"]
