"""How values become bytes and values again: canonical JSON, the same bytes for the same value on every machine.

Keys are sorted and digests are BLAKE2b-256. A value is accepted only if decoding gives back an equal one, so what a task's dependents
get is what it returned, not what JSON made of it. Paths are written under one tag, in which any bytes survive. NaN and infinities are
refused, because JSON would silently turn them into null.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import math
import numbers
import os
from collections.abc import Hashable, Iterable, Iterator
from enum import Enum
from functools import lru_cache
from pathlib import Path, PurePath
from typing import Any, cast

import msgspec

from eventflow.errors import NotFinite, ValueNotStorable


def encode(value: object, annotation: object = Any) -> bytes:
    """Give the canonical JSON of a value which decodes to an equal value under `annotation`.

    Raises `ValueNotStorable`, naming the place in the value, where JSON can't carry it.
    """
    raw = _to_json(value)
    misfit: Exception | None = None
    try:
        carried = decode(raw, annotation)
        if carried == value and (_says_something(annotation) or _alike(value, carried)):
            return raw
    except (msgspec.ValidationError, ValueError, TypeError) as error:
        misfit = error
    place = _first_not_finite(value, "")
    if place is not None:
        raise NotFinite(f"the value holds NaN or an infinity at {place or 'its top'}: JSON can't carry it; use None instead")
    if misfit is not None:
        raise ValueNotStorable(f"{type(value).__name__} doesn't fit its annotation: {misfit}") from misfit
    message = f"{type(value).__name__} comes back from JSON as something else; annotate it with its type, or use plain values"
    raise ValueNotStorable(message)


def decode(raw: bytes | msgspec.Raw, annotation: object = Any) -> Any:
    """Give the value that `encode` wrote. Raises `msgspec.ValidationError` where it doesn't fit the annotation.

    An annotation that says nothing about JSON, such as a union of two classes of the user's own, is read like `Any`.
    """
    decoder = _decoder(annotation) if _says_something(annotation) else None
    if decoder is not None:
        return decoder.decode(raw)
    value = _plain.decode(raw)
    return _revive(value) if b'"$path' in bytes(raw) else value


def schemas(annotations: Iterable[object]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Give the JSON Schema of each annotation, and the `$defs` which they refer to.

    An annotation that says nothing about JSON gets a description and no type.
    """
    wanted = list(annotations)
    described = {place: _described(annotation) for place, annotation in enumerate(wanted) if not _has_schema(annotation)}
    shapes, defs = _components([annotation for place, annotation in enumerate(wanted) if place not in described])
    following = iter(shapes)
    return [described[place] if place in described else next(following) for place in range(len(wanted))], defs


def canonical(value: object) -> bytes:
    """Give sorted JSON of a value of our own making, without asking whether it comes back equal."""
    return _encoder.encode(value)


def digest(raw: bytes) -> str:
    """Give the BLAKE2b-256 of some bytes, as 64 hexadecimal digits."""
    return hashlib.blake2b(raw, digest_size=32).hexdigest()


def field_names(data: object) -> tuple[str, ...]:
    """Name the fields of a struct, a dataclass or a named tuple, or of the class of one; none of anything else."""
    kind = cast("type[object]", data if isinstance(data, type) else type(data))
    if issubclass(kind, msgspec.Struct):
        return kind.__struct_fields__
    if dataclasses.is_dataclass(kind):
        return tuple(field.name for field in dataclasses.fields(kind))
    names: tuple[str, ...] = getattr(kind, "_fields", ())
    return names if issubclass(kind, tuple) else ()


def _says_something(annotation: object) -> bool:
    return annotation is not Any and annotation is not object


def _alike(value: object, carried: object) -> bool:
    """Tell whether two equal values are of the same types all through: a Counter equals a dict, and can do more. Numbers are numbers."""
    if type(value) is not type(carried):
        return isinstance(value, numbers.Real) and not isinstance(value, Enum)
    if isinstance(value, dict):
        mine, theirs = cast("dict[object, object]", value), cast("dict[object, object]", carried)
        return all(_alike(item, theirs[key]) for key, item in mine.items())
    if isinstance(value, list):
        return all(map(_alike, cast("list[object]", value), cast("list[object]", carried)))
    return True


def _to_json(value: object) -> bytes:
    try:
        try:
            return _encoder.encode(value)
        except TypeError:  # sorting asks for keys that are text: numbers, dates and enums as keys take the long way
            return _encoder.encode(msgspec.to_builtins(value, str_keys=True, enc_hook=_to_plain))
    except ValueNotStorable:
        raise
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
        raise ValueNotStorable(f"{type(value).__name__} can't be written as JSON: {error}") from error


def _to_plain(value: object) -> object:
    if isinstance(value, PurePath):
        return _tagged_path(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    raise ValueNotStorable(f"{type(value).__module__}.{type(value).__qualname__} can't be written as JSON")


def _tagged_path(path: PurePath) -> dict[str, str]:
    raw = os.fsencode(path)
    try:
        return {"$path": raw.decode("utf-8")}
    except UnicodeDecodeError:
        return {"$path64": base64.b64encode(raw).decode("ascii")}


def _untagged_path(tagged: dict[str, object]) -> Path | None:
    match tagged:
        case {"$path": str(written)} if len(tagged) == 1:
            return Path(written)
        case {"$path64": str(written)} if len(tagged) == 1:
            return _path_of_bytes(written)
        case _:
            return None


def _path_of_bytes(written: str) -> Path | None:
    try:
        return Path(os.fsdecode(base64.b64decode(written, validate=True)))
    except ValueError:  # a user's dict that only looks like one of ours
        return None


def _from_foreign(kind: type[Any], plain: object) -> object:
    if isinstance(plain, kind):
        return plain
    if issubclass(kind, PurePath):
        path = (
            Path(plain) if isinstance(plain, str) else _untagged_path(cast("dict[str, object]", plain)) if isinstance(plain, dict) else None
        )
        if path is not None:
            return kind(path)
    got = cast("object", plain)
    raise ValueError(f"expected {kind.__name__}, got {type(got).__name__}")


def _components(annotations: list[object]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    kinds = cast("list[type[Any]]", annotations)
    shapes, defs = msgspec.json.schema_components(kinds, schema_hook=_schema_of_foreign, ref_template="#/$defs/{name}")
    return list(shapes), defs


def _has_schema(annotation: object) -> bool:
    try:
        _components([annotation])
    except (TypeError, msgspec.MsgspecError):  # no type of JSON's, or one whose fields' defaults msgspec can't write, such as a path
        return False
    return True


def _schema_of_foreign(kind: type[Any]) -> dict[str, Any]:
    if issubclass(kind, PurePath):
        return {"type": "string", "format": "path"}
    return _described(f"{kind.__module__}.{kind.__qualname__}")


def _described(annotation: object) -> dict[str, Any]:
    return {"description": f"a Python {annotation}"}


def _revive(value: object) -> object:
    if isinstance(value, dict):
        known = cast("dict[str, object]", value)
        path = _untagged_path(known)
        return path if path is not None else {key: _revive(item) for key, item in known.items()}
    if isinstance(value, list):
        return [_revive(item) for item in cast("list[object]", value)]
    return value


def _first_not_finite(value: object, place: str) -> str | None:
    if isinstance(value, float):
        return None if math.isfinite(value) else place
    for step, item in _children(value):
        found = _first_not_finite(item, place + step)
        if found is not None:
            return found
    return None


def _children(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for key, item in cast("dict[object, object]", value).items():
            yield f"[{key!r}]", item
    elif isinstance(value, list | tuple | set | frozenset):
        for index, item in enumerate(cast("list[object]", value)):
            yield f"[{index}]", item
    else:
        for name in field_names(value):
            yield f".{name}", getattr(value, name)


_encoder = msgspec.json.Encoder(enc_hook=_to_plain, order="sorted")
_plain: msgspec.json.Decoder[Any] = msgspec.json.Decoder()


def _decoder(annotation: object) -> msgspec.json.Decoder[Any] | None:
    try:
        return _decoder_of(cast("Hashable", annotation))
    except TypeError:  # an annotation that can't be hashed
        return _decoder_of.__wrapped__(annotation)


@lru_cache(maxsize=1024)
def _decoder_of(annotation: Any) -> msgspec.json.Decoder[Any] | None:
    try:
        return msgspec.json.Decoder(annotation, dec_hook=_from_foreign)
    except (TypeError, RecursionError):
        return None
