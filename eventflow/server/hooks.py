"""Deliveries of webhooks, at `/hooks/NAME`: verified, committed with what the triggers decide, and only then answered."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from eventflow.deadlines import DeadlinePassed, within
from eventflow.engine.engine import Engine
from eventflow.engine.publishing import Published
from eventflow.errors import EngineClosed, EventConflict, EventflowError, JournalFull, NotFound
from eventflow.events import Event
from eventflow.ports import Clock, Instrument
from eventflow.sensors.webhooks.gate import MEBIBYTE
from eventflow.sensors.webhooks.received import Received, Receiving, Refusal, Unfit, Unverified
from eventflow.sensors.webhooks.signatures import check, mac
from eventflow.server.answers import Delivered, Error
from eventflow.server.replies import reply
from eventflow.server.sources import Sources
from eventflow.threads import in_thread

PATIENCE = 5.0
"""Seconds within which a delivery is committed. After that its sender is told to come again."""

READING = 30.0
"""Seconds within which a body must have come."""

LATER = 10
"""In how many seconds a sender is asked to come again."""

_LARGE = 1 << 16
_QUIET = 60.0


class Hooks:
    """What is answered to those who send deliveries."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._complaints = _Complaints()

    async def receive(self, request: Request) -> Response:
        try:
            return await self._answered(request)
        except (EngineClosed, JournalFull, _TooLate) as error:
            return _later(str(error))
        except ClientDisconnect:
            return Response(status_code=400)  # nobody is there to read it

    async def _answered(self, request: Request) -> Response:
        engine, name = self._sources.live, request.path_params["name"]
        engine.intake.check_open()
        hook = _hook(engine, name)
        got = await self._read(request, hook, engine.ports.clock)
        if isinstance(got, Refusal):
            return self._refused(got, name if hook is not None else "of no such name", engine)
        if got.events and engine.sensors.is_paused(name):
            return _later("this hook is paused")
        try:
            return _answer(got, await _published(engine, got.events))
        except EventConflict as conflict:
            return self._refused(Refusal(409, str(conflict)), name, engine)

    async def _read(self, request: Request, hook: Receiving[Any] | None, clock: Clock) -> Received[Any] | Refusal:
        try:
            body = await _body(request, MEBIBYTE if hook is None else hook.largest, clock)
        except Unfit as unfit:
            return unfit.refusal
        look = partial(_nobody if hook is None else hook.receive, request.headers.raw, body, clock.now())
        return look() if len(body) < _LARGE else await in_thread(look)

    def _refused(self, refusal: Refusal, hook: str, engine: Engine) -> Response:
        self._complaints.tell(hook, refusal, engine.ports.instrument, engine.ports.clock)
        return reply(Error(refusal.told), status=refusal.status)


class _Complaints:
    """Tells of refused deliveries, but not of each one: whoever may send may send many. Conflicts are always told."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, int], tuple[float, int]] = {}

    def tell(self, hook: str, refusal: Refusal, instrument: Instrument, clock: Clock) -> None:
        key, now = (hook, refusal.status), clock.monotonic()
        since, kept_quiet = self._told.get(key, (-_QUIET, 0))
        if refusal.status != 409 and now - since < _QUIET:
            self._told[key] = (since, kept_quiet + 1)
            return
        self._told[key] = (now, 0)
        more = f" ({kept_quiet} more since this was last told)" if kept_quiet else ""
        instrument.troubled(f"hook {hook}", EventflowError(f"a delivery was refused with {refusal.status}: {refusal.reason}{more}"))


class _TooLate(Exception):
    """The journal has not taken an event in time. It may still do so: the sender comes again, and finds a duplicate."""


def _hook(engine: Engine, name: str) -> Receiving[Any] | None:
    try:
        sensor = engine.sensors[name]
    except NotFound:
        return None
    return sensor if isinstance(sensor, Receiving) else None


def _nobody(_headers: object, body: bytes, _now: int) -> Refusal:
    """Refuse what was sent to no hook, after as much work as a wrong signature makes: else names could be found by trying."""
    with suppress(Unverified):
        check([mac(bytes(32), body)], [b""])
    return Refusal(401, "there is no hook of this name")


async def _body(request: Request, largest: int, clock: Clock) -> bytes:
    too_large = Unfit(413, f"its body is larger than {largest} bytes")
    told = request.headers.get("content-length", "0")
    if not (told.isascii() and told.isdigit() and len(told) < 16) or int(told) > largest:
        raise too_large
    read = bytearray()
    try:
        with within(READING, clock):
            async for chunk in request.stream():
                read += chunk
                if len(read) > largest:
                    raise too_large
    except DeadlinePassed:
        raise Unfit(408, f"its body has not come within {READING:.0f} seconds") from None
    return bytes(read)


async def _published(engine: Engine, events: Sequence[Event[Any]]) -> list[Published]:
    if not events:
        return []
    try:
        with within(PATIENCE, engine.ports.clock):
            return await engine.publish_all(events)
    except DeadlinePassed:
        raise _TooLate("the journal takes long just now") from None


def _answer(got: Received[Any], published: Sequence[Published]) -> Response:
    if got.reply is not None:
        return Response(got.reply.body, got.reply.status, media_type=got.reply.media_type)
    told = [Delivered(one.event, list(one.runs), one.duplicate) for one in published]
    return reply(told if got.batched else told[0], status=202)


def _later(reason: str) -> Response:
    answer = reply(Error(f"{reason}: send it again"), status=503)
    answer.headers["Retry-After"] = str(LATER)
    return answer
