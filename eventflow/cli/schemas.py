"""What JSON Schemas tell of typed texts: which of them are paths, that the daemon, whose current folder is another one, wants whole."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def properties(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give the fields of an object, each with its schema; none of anything else."""
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    shape: Mapping[str, Any] = schema.get("$defs", {}).get(name, schema)
    return shape.get("properties", {})


def absolute(texts: Mapping[str, str], fields: Mapping[str, Any]) -> dict[str, str]:
    """Make relative paths whole, from the current folder."""
    return {name: str(Path.cwd() / text) if _is_path(fields.get(name, {})) else text for name, text in texts.items()}


def _is_path(schema: Mapping[str, Any]) -> bool:
    return schema.get("format") == "path" or any(one.get("format") == "path" for one in schema.get("anyOf", ()))
