"""The object sensor: what `FileSensor` is for a folder, for the objects under a prefix of S3, Google Cloud Storage or Azure."""

from __future__ import annotations

from eventflow.sensors.objects.sensor import ObjectSensor
from eventflow.sensors.objects.versions import ObjectVersion

__all__ = ["ObjectSensor", "ObjectVersion"]
