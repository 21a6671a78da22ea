"""What has one state at a time: a body, a header, a value, whether something is up. One look, and what it found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import assert_never, cast

import httpx
import msgspec

from eventflow import codec
from eventflow.errors import SensorError
from eventflow.sensors.http.changes import DEEPEST, LONGEST_TEXT, Body, Header, State, Status, Value
from eventflow.sensors.http.failures import Unusable, media_type, named, telling
from eventflow.sensors.http.fetch import NOT_MODIFIED, Answer, Ask, Fetch
from eventflow.sensors.http.memory import Memory, etag, modified
from eventflow.sensors.paths import Absent, JSONPath

UP, DOWN = "up", "down"

_NO_HEAD = frozenset({405, 501})


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a look found. `mark` decides whether that is a change; the others are as in `HTTPChange` and `Memory`."""

    mark: str
    status: int | None
    value: object = None
    body: str | None = None
    headers: str | None = None
    etag: str | None = None
    modified: str | None = None
    reason: str | None = None
    cut: bool = False


async def look(change: State, fetch: Fetch, memory: Memory, *, conditional: bool) -> Found | None:
    """Ask, and give what there is now; None where the answer was that nothing has changed. Raises `SensorError`."""
    match change:
        case Body():
            return await _body(fetch, memory, conditional=conditional)
        case Value():
            return await _value(change.place, fetch, memory, conditional=conditional)
        case Header():
            return await _header(change, fetch, memory, conditional=conditional)
        case Status():
            return await _status(fetch)
        case _:
            assert_never(change)


def document(answer: Answer) -> object:
    """Give the JSON document that an answer holds. Raises `Unusable`."""
    try:
        return msgspec.json.decode(answer.body.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        reason = "it is nested too deep" if isinstance(error, RecursionError) else str(error)
        raise Unusable(f"the answer, of {len(answer.body)} bytes, is {media_type(answer.headers)} and no JSON: {reason}") from None


def carried(value: object) -> tuple[object, bool]:
    """Give a JSON value as an event carries it: None, and True, in place of one that is too large, or nested too deep."""
    return (value, False) if len(codec.canonical(value)) <= LONGEST_TEXT and not _is_deep(value) else (None, True)


async def _body(fetch: Fetch, memory: Memory, *, conditional: bool) -> Found | None:
    answer = await _changed(fetch, memory, conditional=conditional)
    if answer is None:
        return None
    digest = codec.digest(answer.body)
    text, cut = _text(answer)
    return Found(
        mark=digest, value=digest, status=answer.status, body=text, cut=cut, etag=etag(answer.headers), modified=modified(answer.headers)
    )


async def _value(place: JSONPath, fetch: Fetch, memory: Memory, *, conditional: bool) -> Found | None:
    answer = await _changed(fetch, memory, conditional=conditional)
    if answer is None:
        return None
    with telling(answer.what, fetch.endpoint.timeout):
        try:
            value = place.of(document(answer))
        except Absent as error:
            raise Unusable(str(error)) from None
    shown, cut = carried(value)
    mark = codec.digest(codec.canonical(value))
    return Found(mark=mark, value=shown, status=answer.status, cut=cut, etag=etag(answer.headers), modified=modified(answer.headers))


async def _header(change: Header, fetch: Fetch, memory: Memory, *, conditional: bool) -> Found | None:
    answer = await _head(fetch)
    found = _of_headers(change, answer)
    if not change.confirm or (conditional and found.headers == memory.headers):
        return found if not change.confirm else None
    whole = await fetch.good(Ask())
    return replace(_of_headers(change, whole), mark=codec.digest(whole.body))


async def _head(fetch: Fetch) -> Answer:
    answer = await fetch.answer(Ask("HEAD"))
    if answer.status in _NO_HEAD:
        # Not every server knows HEAD. Of a GET the headers are enough here: the body isn't read.
        answer = await fetch.answer(Ask("GET"), with_body=False)
    return fetch.checked(answer)


def _of_headers(change: Header, answer: Answer) -> Found:
    values = {name: answer.headers.get(name, "")[:LONGEST_TEXT] for name in change.names}
    if not any(values.values()):
        missing = ", ".join(change.names)
        raise SensorError(f"{answer.what}: the answer has none of the headers {missing}: name others, or watch its Body()")
    mark = codec.digest(codec.canonical(values))
    return Found(mark=mark, value=values, headers=mark, status=answer.status, etag=etag(answer.headers), modified=modified(answer.headers))


async def _status(fetch: Fetch) -> Found:
    try:
        answer = await fetch.answer(Ask(), with_body=False)
    except SensorError as error:
        return Found(mark=DOWN, value=DOWN, status=None, reason=str(error))
    if 200 <= answer.status < 300:
        return Found(mark=UP, value=UP, status=answer.status)
    return Found(mark=DOWN, value=DOWN, status=answer.status, reason=f"{answer.what}: answered {named(answer.status)}")


async def _changed(fetch: Fetch, memory: Memory, *, conditional: bool) -> Answer | None:
    """Give a good answer, or None for a 304 that was asked for."""
    conditions = memory.conditions if conditional else {}
    answer = await fetch.good(Ask(headers=conditions))
    return None if answer.status == NOT_MODIFIED else answer


def _is_deep(value: object) -> bool:
    """Tell whether a value is nested deeper than whoever reads it later may be able to go: Python's stack has its end near 1,000."""
    level = [value]
    for _ in range(DEEPEST):
        level = [inner for outer in level for inner in _inside(outer) if isinstance(inner, dict | list)]
        if not level:
            return False
    return True


def _inside(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return cast("dict[str, object]", value).values()
    return cast("list[object]", value) if isinstance(value, list) else ()


def _text(answer: Answer) -> tuple[str | None, bool]:
    charset = httpx.Response(answer.status, headers=answer.headers).charset_encoding or "utf-8"
    try:
        text = answer.body.decode(charset)
    except (UnicodeDecodeError, LookupError):
        return None, False
    return text[:LONGEST_TEXT], len(text) > LONGEST_TEXT
