"""What is asked of the API, read strictly: an unknown word or a number out of range is an `InvalidRequest`, never a guess."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Annotated, Literal, TypeVar

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request

from eventflow import ids
from eventflow.errors import InvalidRequest

LARGEST = 1024 * 1024
"""The most bytes of a body."""

EARLIEST, LATEST = -62_135_596_800_000_000, 253_402_300_799_999_999
"""The years from 1 to 9999, in microseconds UTC: the instants that a calendar can show."""

T = TypeVar("T")


class Question:
    """The query of a request. Asking for what isn't given gives None or the default; `known` lists every word that may be there."""

    def __init__(self, request: Request, known: Collection[str]) -> None:
        self._given = dict(request.query_params)
        for word in self._given:
            if word not in known:
                raise InvalidRequest(f"{word[:64]!r} is no parameter of this question: there is {', '.join(known) or 'none'}")

    def text(self, word: str) -> str | None:
        """Give a parameter as it stands."""
        return self._given.get(word)

    def whole(self, word: str, *, least: int = 0, most: int = 2**63 - 1) -> int | None:
        """Give a whole number within bounds."""
        text = self._given.get(word)
        if text is None:
            return None
        if not (text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) <= most):
            raise InvalidRequest(f"{word} is a whole number from {least} to {most}, not {text[:64]!r}")
        return int(text)

    def seconds(self, word: str, most: float) -> float:
        """Give a length of time in seconds, cut to `most`; 0 where it isn't given."""
        text = self._given.get(word, "0")
        try:
            length = float(text)
        except ValueError:
            length = math.nan
        if not 0 <= length < math.inf:
            raise InvalidRequest(f"{word} is a number of seconds, not {text[:64]!r}")
        return min(length, most)

    def among(self, word: str, choices: Collection[str]) -> tuple[str, ...] | None:
        """Give one or several of some words, with commas between them."""
        text = self._given.get(word)
        if text is None:
            return None
        chosen = tuple(text.split(","))
        for one in chosen:
            if one not in choices:
                raise InvalidRequest(f"{one[:64]!r} is no {word}: there is {', '.join(sorted(choices))}")
        return chosen

    def one_of(self, word: str, choices: Collection[str]) -> str | None:
        """Give one of some words."""
        first, *others = self.among(word, choices) or (None,)
        if others:
            raise InvalidRequest(f"{word} takes one word, not {1 + len(others)}")
        return first

    def name(self, word: str) -> str | None:
        """Give what may name a pipeline or a sensor. Nodes are named in more ways: they are looked for as they stand."""
        text = self._given.get(word)
        if text is not None and not ids.is_name(text):
            raise InvalidRequest(f"{text[:64]!r} can't name a {word}: {ids.NAME_RULE}")
        return text


class Submission(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A run to be submitted. `parameters` are JSON values; `texts` are what a person typed instead, read by each parameter's type."""

    pipeline: str
    parameters: dict[str, msgspec.Raw] = {}
    texts: dict[str, str] = {}
    key: str | None = None
    priority: int = 0


class Cancellation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The end of a run, or of one node of it, that is asked for."""

    node: str | None = None


class Publication(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An event to be published. Without an `id` it gets a fresh one, without a `type` its source's name, without a `time` (UTC) it is now.

    `data` is JSON; `texts` are the fields of an object as a person typed them instead, read by their types where the sensor tells these.
    """

    source: str
    id: str | None = None
    type: str | None = None
    subject: str | None = None
    time: Annotated[int, msgspec.Meta(ge=EARLIEST, le=LATEST)] | None = None
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    texts: dict[str, str] = {}


class PauseReason(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a pipeline or a sensor is to be paused."""

    reason: str = "asked for"


class GivenAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A person's answer to what a node waits for: `answer` as JSON, or `text` as it was typed, read by the form; and who says so."""

    node: str
    answer: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    text: str | None = None
    by: str | None = None


class Repetition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A run to be made again: from where, and with which other arguments, as in a `Submission`. `dry` asks for the plan alone."""

    since: str = "failed"
    parameters: dict[str, msgspec.Raw] = {}
    texts: dict[str, str] = {}
    key: str | None = None
    dry: bool = False


class Resolution(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a person decided about a held run."""

    choice: Literal["resume", "restart", "fail"]


async def body(request: Request, shape: type[T]) -> T:
    """Give the body of a request, which is JSON of a shape; none at all is `{}`. Raises `InvalidRequest` for anything else."""
    try:
        return msgspec.json.decode(await _read(request) or b"{}", type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"the body is not the JSON that belongs here: {error}") from error


async def _read(request: Request) -> bytearray:
    read = bytearray()
    async for chunk in request.stream():
        read += chunk
        if len(read) > LARGEST:
            raise HTTPException(413, f"the body is larger than {LARGEST} bytes")
    return read
