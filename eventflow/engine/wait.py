"""A node that waits for the world: an event, an answer of a person, a time. It is a row, and holds nothing while it waits."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any, cast

import anyio
import msgspec
from msgspec import UNSET

from eventflow import codec, facts, states
from eventflow.definition.bodies import WaitBody
from eventflow.definition.graph import Wait
from eventflow.durations import SECOND
from eventflow.engine import wanted as wants
from eventflow.engine.inputs import resolve
from eventflow.engine.node import NodeExecution, Placed, user_code
from eventflow.engine.outcome import Outcome
from eventflow.engine.values import INLINE
from eventflow.engine.wanted import AnswerWanted, EventWanted, OpenWait, TimeWanted, Wanted
from eventflow.errors import Refused
from eventflow.facts import Fact


class SuspendedExecution(NodeExecution):
    """A node that begins by writing down what it waits for. `Waits` ends it."""

    __slots__ = ("_result",)

    def __init__(self, placed: Placed, result: object) -> None:
        super().__init__(placed)
        self._result = result

    async def value(self) -> object:
        result = self.outcome.result().result
        return None if result is None else await self.frame.values.open(result, self._result)

    async def abandon(self) -> None:
        self.frame.outside.drop(self.frame.run, self.name)

    async def settle(self, outcome: Outcome, *happened: Fact) -> None:
        try:
            await super().settle(outcome, *happened)
        except Refused:
            if not self.suspended and not self.outcome.done():
                raise
            # What it waited for has come just before: that is durable, and told, or is about to be.
            await asyncio.wait([self.outcome])

    def tell(self, outcome: Outcome) -> None:
        super().tell(outcome)
        self.frame.outside.drop(self.frame.run, self.name)

    def suspend(self, wanted: Wanted, since: int, due: int | None) -> None:
        """Wait from here on; that it does is durable."""
        self.suspended = True
        self.frame.ports.instrument.reached("engine.node.suspended")
        self.frame.outside.suspend(OpenWait(self.frame.run, self.frame.pipeline, self.name, wanted, since, due))


class WaitExecution(SuspendedExecution):
    """A node that waits for an event, an answer or a time."""

    __slots__ = ("_body", "_wait")

    def __init__(self, placed: Placed, wait: Wait, body: WaitBody) -> None:
        super().__init__(placed, body.result)
        self._wait = wait
        self._body = body

    async def work(self) -> None:
        frame = self.frame
        now = frame.ports.clock.now()
        due = None if self._body.timeout is None else now + round(self._body.timeout * SECOND)
        with user_code(states.INPUT):
            if self._wait.kind == states.TIME:
                wanted, due = TimeWanted(), _instant(await self._input("instant"))
            else:
                wanted = await (self._event() if self._wait.kind == states.EVENT else self._answer())
        with anyio.CancelScope(shield=True):
            await frame.commit(facts.NodeSuspended(frame.run, self.name, self._wait.kind, wants.encode(wanted), due))
            self.suspend(wanted, now, due)

    async def _input(self, name: str) -> Any:
        binding = self.node.inputs.get(name)
        return None if binding is None else await resolve(binding, self._body.inputs.get(name, Any), self.reader)

    async def _event(self) -> EventWanted:
        match = cast("dict[str, object]", await self._input("match") or {})
        return EventWanted(
            _source(await self._input("source")),
            _text("type", await self._input("type")),
            _text("subject", await self._input("subject")),
            {path: msgspec.json.decode(codec.encode(value)) for path, value in match.items()},
            self._default,
        )

    async def _answer(self) -> AnswerWanted:
        shown = await self._shown() if "show" in self.node.inputs else UNSET
        return AnswerWanted(self._body.question, _form(self._body.result), self._body.who, shown, self._default)

    async def _shown(self) -> object:
        snapshot = self.frame.values.snapshot(await self._input("show"))
        if snapshot.codec != "json" or len(snapshot.data) > INLINE:
            return f"(what is to be shown can't be: {len(snapshot.data)} bytes of {snapshot.codec})"
        return msgspec.json.decode(snapshot.data)

    @property
    def _default(self) -> object:
        return UNSET if self._body.default is None else msgspec.json.decode(self._body.default)


def _form(annotation: object) -> object:
    (shape,), defs = codec.schemas([annotation])
    return {**shape, "$defs": defs} if defs else shape


def _instant(value: object) -> int:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise TypeError(f"sleep_until takes an instant with a time zone, not {value!r}")
    try:
        return round(value.astimezone(UTC).timestamp() * SECOND)
    except OverflowError as error:
        raise ValueError(f"sleep_until takes an instant that there will be, not {value!r}") from error


def _source(value: object) -> str:
    if not value or not isinstance(value, str):
        raise TypeError(f"wait_for takes a sensor's name as source, not {value!r}")
    return value


def _text(name: str, value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise TypeError(f"wait_for takes a text as {name}, not {value!r}")
