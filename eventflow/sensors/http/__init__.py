"""Answers of HTTP servers whose changes are events: `HTTPSensor` and `StreamSensor`, and what they are told with."""

from __future__ import annotations

from eventflow.sensors.http.changes import Body, Feed, Header, HTTPChange, Items, Status, Value
from eventflow.sensors.http.sensor import HTTPSensor
from eventflow.sensors.http.stream import StreamEvent, StreamSensor

__all__ = ["Body", "Feed", "HTTPChange", "HTTPSensor", "Header", "Items", "Status", "StreamEvent", "StreamSensor", "Value"]
