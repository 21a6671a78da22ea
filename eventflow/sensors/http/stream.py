"""The stream sensor: server-sent events, or JSON line by line, each of which is an event."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, aclosing
from typing import Literal

from eventflow.definition.places import naming_the_line, user_place
from eventflow.durations import Duration, text
from eventflow.events import Observation
from eventflow.ports import Seen, World
from eventflow.sensors.http.endpoint import Credentials, Text, endpoint
from eventflow.sensors.http.position import Position
from eventflow.sensors.http.streaming import LONGEST_WAIT, Format, StreamEvent, Streaming, StreamOptions, connected, in_words
from eventflow.sensors.options import choice, length, name_of
from eventflow.sensors.paths import JSONPath, parsed
from eventflow.sensors.sizes import Size

__all__ = ["StreamEvent", "StreamSensor"]

Data = Literal["json", "text"]


class StreamSensor:
    """Fires for each event of a stream: `format="sse"`, server-sent events, or `"ndjson"`, JSON line by line.

    Where the stream ends it is connected anew after `retry`, or when the server says; where nothing at all came for `idle`, too, as a dead
    connection looks like a quiet one. What the stream had in the meantime, or while the daemon was down, comes if the server can send
    it: server-sent events go on behind the last id (`Last-Event-ID`); of NDJSON `id` says where an id stands in each line, and `resume` is
    the parameter of the query that is to be the last one, or, without `id`, the number of lines taken so far. An id fires once. An event
    without one is known only where the id before it comes again first; else it fires, as nothing tells it from another one like it.
    A stream without ids can't go on: what it sends while nobody listens is lost.

    `data="text"` leaves the data of events as text. `timeout` is for the connection, up to the headers, `largest` for one event: of a
    larger one the beginning is kept. `headers`, `query`, `auth` and `tls` are as for `HTTPSensor`, redirects too.

    Raises `DefinitionError`, which names the line, for what can't be meant.
    """

    def __init__(
        self,
        name: str,
        url: Text,
        *,
        format: Format = "sse",  # noqa: A002 - what everybody calls it
        data: Data = "json",
        id: str | None = None,  # noqa: A002 - as in Items
        resume: str | None = None,
        headers: Mapping[str, Text] | None = None,
        query: Mapping[str, Text] | None = None,
        auth: Credentials | None = None,
        timeout: Duration = "30s",
        idle: Duration = "5m",
        retry: Duration = "3s",
        largest: Size = "1MiB",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.place = user_place()
        with naming_the_line():
            self._options = StreamOptions(
                name=name_of(name),
                endpoint=endpoint(url, headers=headers, query=query, auth=auth, timeout=timeout, largest=largest, tls=tls),
                format=choice("format", format, Format),
                as_json=choice("data", data, Data) == "json",
                id_place=_id_place(id, format, data),
                resume=_resume(resume, format),
                idle=length("idle", idle, least="100ms"),
                retry=length("retry", retry, least="1ms", most=text(LONGEST_WAIT)),
            )

    def __repr__(self) -> str:
        return f"<StreamSensor {self.name!r}: {self._options.endpoint.address.shown}>"

    @property
    def name(self) -> str:
        """What its events carry as their source."""
        return self._options.name

    @property
    def interval(self) -> float:
        """The longest time, in seconds, between two observations of a healthy sensor."""
        return self._options.idle + self._options.endpoint.timeout + LONGEST_WAIT + 30

    async def observe(self, cursor: object, seen: Seen, world: World) -> AsyncGenerator[Observation[StreamEvent], None]:
        """Yield what comes, for ever, what came together in one observation.

        Raises `SourceUnreachable` where the stream can't be reached or is refused, `SensorError` where there is something else.
        """
        streaming = await Streaming.of(self._options, cursor, seen, world)
        while True:
            async with aclosing(streaming.connection()) as observations:
                async for observation in observations:
                    yield observation
            await streaming.rest()

    def in_words(self, cursor: object) -> str:
        """Say where the sensor stands."""
        return in_words(self._options, cursor)

    async def check(self, world: World) -> None:
        """Connect, see whether a stream begins, and leave. Raises `SensorError` where none does."""
        async with AsyncExitStack() as resources:
            await connected(self._options, Position(watched=self._options.watched), world, resources)


def _id_place(id_: str | None, format_: str, data: str) -> JSONPath | None:
    if id_ is None:
        return None
    if format_ != "ndjson" or data != "json":
        raise ValueError("id= is for format='ndjson' with data='json': server-sent events bring their own ids")
    return parsed(id_, "id")


def _resume(resume: str | None, format_: str) -> str | None:
    if resume is not None and (format_ != "ndjson" or not resume):
        raise ValueError("resume= is for format='ndjson', and names a parameter of the query: server-sent events go on by Last-Event-ID")
    return resume
