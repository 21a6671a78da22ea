"""How a stream sensor goes about its stream: connect, tell what comes, and connect again where it ended."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Iterable, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from typing import Literal, Self

import httpx
import msgspec

from eventflow import durations, escapes
from eventflow.deadlines import within
from eventflow.errors import SourceUnreachable
from eventflow.events import Event, Observation
from eventflow.ids import whole_number
from eventflow.ports import Seen, World
from eventflow.projections import SeenRow
from eventflow.sensors.http.endpoint import Endpoint
from eventflow.sensors.http.failures import Unusable, media_type, refusal, telling
from eventflow.sensors.http.fetch import Ask, Fetch
from eventflow.sensors.http.memory import fingerprint
from eventflow.sensors.http.ndjson import NDJSON
from eventflow.sensors.http.position import Position, Read, Reader, reached
from eventflow.sensors.http.reading import unpacked
from eventflow.sensors.http.spaces import Space, space_of
from eventflow.sensors.http.sse import SSE, Message
from eventflow.sensors.paths import JSONPath
from eventflow.sensors.portions import portions

Format = Literal["sse", "ndjson"]
Ending = Literal["whole", "cut", "silent"]

LONGEST_WAIT = 300.0
"""Seconds between two connections, at most, however long the server asks for."""

_DAY = durations.microseconds("1d")
_SHORTEST_WAIT = 0.05
_LONGEST_TYPE = 100
_OK, _NO_CONTENT = 200, 204


class StreamEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event of a stream. `data` is its JSON, or its text where the sensor was told `data="text"`. `id` is its own, as text.

    What is no JSON, or too large, is an event all the same: `fault` says what is wrong, `data` is None, and `text` is its beginning. `cut`
    tells that a text is not all there.
    """

    data: object = None
    id: str | None = None
    text: str | None = None
    fault: str | None = None
    cut: bool = False


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """What a stream sensor was told. Lengths of time are in seconds. `resume` is the parameter of the query by which NDJSON goes on."""

    name: str
    endpoint: Endpoint
    format: Format
    as_json: bool
    id_place: JSONPath | None
    resume: str | None
    idle: float
    retry: float

    @property
    def watched(self) -> str:
        """What is listened to, as cursors tell it apart."""
        place = None if self.id_place is None else self.id_place.written
        return fingerprint({**self.endpoint.identity, "format": self.format, "id": place, "resume": self.resume})

    @property
    def is_counted(self) -> bool:
        """Whether the server goes on by the number of lines: then each is known by its number."""
        return self.resume is not None and self.id_place is None

    def ask(self, position: Position) -> Ask:
        """Give the request that goes on from a position."""
        if self.format == "ndjson":
            return Ask(
                url=self._resumed(position), headers={"Accept": "application/x-ndjson, application/json", "Accept-Encoding": "identity"}
            )
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store", "Accept-Encoding": "identity"}
        last = "" if position.last is None else str(position.last).strip()
        return Ask(headers={**headers, "Last-Event-ID": last} if last else headers)

    def _resumed(self, position: Position) -> httpx.URL | None:
        last = position.last if self.id_place is not None else (position.count or None)
        return None if self.resume is None or last is None else self.endpoint.url.copy_set_param(self.resume, str(last))


class Streaming:
    """One start of a stream sensor."""

    def __init__(self, options: StreamOptions, space: Space, position: Position, world: World) -> None:
        self._options = options
        self._space = space
        self._world = world
        self._position = position
        self._retry = options.retry
        self._fruitless = 0
        self._spent: tuple[str, ...] = ()

    @classmethod
    async def of(cls, options: StreamOptions, cursor: object, seen: Seen, world: World) -> Self:
        """Begin where a cursor stands."""
        space = await space_of(cursor, options.watched, seen)
        position = reached(cursor, options.watched)
        if position is None:
            base = 0 if options.is_counted else await space.highest("+")
            position = Position(watched=options.watched, unmarked=space.unmarked, base=base)
        return cls(options, space, position, world)

    async def connection(self) -> AsyncGenerator[Observation[StreamEvent], None]:
        """Connect, and yield what comes, all that came together at once; a heartbeat for what is no event. Returns when it has ended.

        Raises `SensorError` where there is no such stream.
        """
        async with AsyncExitStack() as resources:
            response = await connected(self._options, self._position, self._world, resources)
            yield await self._observation((), ())
            parser = self._parser()
            reader = Reader(self._position, self._options.id_place, as_json=self._options.as_json)
            parts = await resources.enter_async_context(aclosing(unpacked(response)))
            heard = False
            while isinstance(part := await self._part(parts), bytes):
                heard = True
                async with aclosing(self._observations(parser.feed(part), reader, parser)) as observations:
                    async for observation in observations:
                        yield observation
            if part == "whole":
                async with aclosing(self._observations(parser.end(), reader, parser)) as observations:
                    async for observation in observations:
                        yield observation
            self._fruitless = 0 if heard or part == "silent" else self._fruitless + 1

    async def rest(self) -> None:
        """Return when it is time to connect again: as the server asked, and later each time while it says nothing at all.

        The supervisor's own wait is for what fails; a server that takes connections and drops them looks healthy to it.
        """
        wait = min(max(self._retry, _SHORTEST_WAIT) * 2 ** min(self._fruitless, 16), LONGEST_WAIT)
        await self._world.clock.sleep(wait * (1 - self._world.random.fraction() / 4))

    def _parser(self) -> SSE | NDJSON:
        largest = self._options.endpoint.largest
        return SSE("", largest) if self._options.format == "sse" else NDJSON(largest)

    async def _part(self, parts: AsyncGenerator[bytes, None]) -> bytes | Ending:
        """Give the next bytes, or how the connection ended."""
        with telling(f"GET {self._options.endpoint.address.shown}", self._options.idle):
            try:
                with within(self._options.idle, self._world.clock):
                    return await anext(parts)
            except StopAsyncIteration:
                return "whole"
            except TimeoutError:
                return "silent"
            except (httpx.HTTPError, OSError):
                return "cut"  # servers and proxies end streams like that every day: it is connected anew, and that tells more

    async def _observations(
        self, messages: Iterable[Message], reader: Reader, parser: SSE | NDJSON
    ) -> AsyncGenerator[Observation[StreamEvent], None]:
        """Yield what is new of some messages. Each part is asked about when the one before is committed: it may hold the same once more."""
        reads = [reader.read(message) for message in messages]
        if parser.retry is not None:
            self._retry = min(parser.retry, LONGEST_WAIT)
        parts = list(portions(reads)) or [()]
        for number, part in enumerate(parts, 1):
            taken = await self._space.taken([read.identity for read in part])
            fresh = reader.take(part, taken)
            if number == len(parts) and isinstance(parser, SSE):
                reader.passed(parser.last_id)
            self._position = reader.position
            yield await self._observation(fresh, taken)

    async def _observation(self, fresh: Sequence[Read], again: Collection[str]) -> Observation[StreamEvent]:
        """Make an observation. What the one before brought is gone: the cursor is past it. It is refused for the retention."""
        events = tuple(map(self._event, fresh))
        spent, self._spent = self._spent, _sparse([event.id for event in events])
        return Observation(events=events, cursor=self._position.cursor, forget=(*spent, *await self._fading(again)))

    async def _fading(self, again: Collection[str]) -> Sequence[str]:
        """Give those, of what was sent again, whose retention is to begin anew, as they are still sent: once a day, that few are written.

        Of those that a crash kept from being told gone it begins now; numbers are left to become ranges.
        """
        if not again:
            return ()
        names, yesterday = tuple(map(self._space.identity, again)), self._world.clock.now() - _DAY
        rows = await self._world.journal.select(SeenRow, source=self._world.source, id=names)
        return [row.id for row in rows if (whole_number(row.id) is None if row.forgotten_at is None else row.forgotten_at < yesterday)]

    def _event(self, read: Read) -> Event[StreamEvent]:
        message = read.message
        text = message.text if read.fault else None
        data = StreamEvent(data=read.value, id=read.own, text=text, fault=read.fault, cut=message.cut)
        kind = escapes.line(message.type)[:_LONGEST_TYPE]
        return self._world.event(self._space.identity(read.identity), data, type=kind, subject=read.own)


async def connected(options: StreamOptions, position: Position, world: World, resources: AsyncExitStack) -> httpx.Response:
    """Connect, for as long as `resources` are open, and give the answer, whose body is the stream. Raises `SensorError`."""
    ask, what = options.ask(position), f"GET {options.endpoint.address.shown}"
    with telling(what, options.endpoint.timeout):
        with within(options.endpoint.timeout, world.clock):
            fetch = await resources.enter_async_context(Fetch(options.endpoint, world.clock))
            response = await resources.enter_async_context(fetch.opened(ask))
        if response.status_code == _OK:
            _check_type(options.format, response)
            return response
    if response.status_code == _NO_CONTENT:
        raise SourceUnreachable(f"{what}: answered 204 No Content: it has nothing to stream at present")
    raise refusal(what, response.status_code, response.headers, world.clock.now())


def in_words(options: StreamOptions, cursor: object) -> str:
    """Say what a cursor means."""
    position = reached(cursor, options.watched) or Position(watched=options.watched)
    if position.last is not None:
        return f"up to id {escapes.line(position.last)[:80]}"
    if position.count == 0:
        return "has heard nothing yet"
    count = f"{position.count} events so far" if position.count != 1 else "1 event so far"
    return count if options.resume is not None else f"{count}, none with an id: what is sent while nobody listens is lost"


def _check_type(format_: Format, response: httpx.Response) -> None:
    said = media_type(response.headers)
    if format_ == "sse" and said != "text/event-stream":
        raise Unusable(f"the answer is {said}, not text/event-stream: is the url that of a stream, or is it format='ndjson'?")
    if format_ == "ndjson" and said in ("text/html", "text/event-stream"):
        raise Unusable(f"the answer is {said}, not JSON line by line: is the url that of a stream, or is it format='sse'?")


def _sparse(identities: Sequence[str]) -> tuple[str, ...]:
    """Give the identities that would be kept one by one, for ever: whole numbers in a row the journal keeps as a range."""
    numbers = {whole_number(identity) for identity in identities}
    return tuple(dict.fromkeys(identity for identity in identities if not _in_a_row(whole_number(identity), numbers)))


def _in_a_row(number: int | None, numbers: Collection[int | None]) -> bool:
    return number is not None and (number - 1 in numbers or number + 1 in numbers)
