"""Folders whose files are events: `FileSensor`, and what it is told with."""

from __future__ import annotations

from eventflow.sensors.files.sensor import Delete, FileEvent, FileSensor, FileVersion, Leave, Manifest, Marker, Move

__all__ = ["Delete", "FileEvent", "FileSensor", "FileVersion", "Leave", "Manifest", "Marker", "Move"]
