"""The HTTP sensor: an endpoint that is asked from time to time, of which each change is an event."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from eventflow.definition.places import naming_the_line, user_place
from eventflow.durations import Duration, seconds
from eventflow.events import Observation
from eventflow.ports import Seen, World
from eventflow.sensors.http.changes import Body, Change, Feed, Header, HTTPChange, Items, Status, Value
from eventflow.sensors.http.endpoint import Credentials, Text, endpoint
from eventflow.sensors.http.rounds import HTTPOptions, Rounds, checked, in_words
from eventflow.sensors.options import Existing, choice, name_of, pause
from eventflow.sensors.sizes import Size

__all__ = ["Body", "Feed", "HTTPChange", "HTTPSensor", "Header", "Items", "Status", "Value"]

_REQUESTS = 3
"""Requests before an observation, at most: HEAD, GET where HEAD isn't known, and GET for the body."""


class HTTPSensor:
    """Fires when what an HTTP endpoint answers has changed, once for each change, however often it is asked and whatever crashes.

    `change` says what counts: `Body()`, `Header()`, `Value("data.updated_at")`, `Items("issues", id="id")`, `Feed()`, `Status()`. Only the
    change fires, not the state: a value that stays what it is never fires again, and one that comes back fires again (A, B, A are two
    changes). The first look only remembers what there is; `existing="fire"` makes events of it too.

    It is asked every `every`, give or take `jitter` (a tenth of it), one request at a time. `timeout` is for a whole answer, redirects
    included, `largest` for its unpacked body. At most five redirects are followed: never to another scheme than https, and never from
    outside into a network. `headers`, `query` and `auth` may hold a `Secret`; they go to no other host. `auth` is `(user, password)`, a
    `Secret` for a bearer token, or an `httpx.Auth`. `tls` is in place of the usual certificates. Proxies from the environment are not used.

    A look that fails moves nothing: the sensor is degraded, and tries again later each time, five minutes at most, or when the server
    says (`Retry-After`, an hour at most).

    Raises `DefinitionError`, which names the line, for what can't be meant.
    """

    def __init__(
        self,
        name: str,
        url: Text,
        *,
        every: Duration = "1m",
        change: Change | None = None,
        existing: Existing = "ignore",
        headers: Mapping[str, Text] | None = None,
        query: Mapping[str, Text] | None = None,
        auth: Credentials | None = None,
        timeout: Duration = "30s",
        largest: Size = "10MiB",
        jitter: Duration | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.place = user_place()
        with naming_the_line():
            period = pause("every", every, "100ms")
            self._options = HTTPOptions(
                name=name_of(name),
                endpoint=endpoint(url, headers=headers, query=query, auth=auth, timeout=timeout, largest=largest, tls=tls),
                change=_change(change),
                every=period,
                jitter=_jitter(jitter, period),
                ignore_existing=choice("existing", existing, Existing) == "ignore",
            )

    def __repr__(self) -> str:
        return f"<HTTPSensor {self.name!r}: {self._options.endpoint.address.shown}>"

    @property
    def name(self) -> str:
        """What its events carry as their source."""
        return self._options.name

    @property
    def interval(self) -> float:
        """The longest time, in seconds, between two observations of a healthy sensor."""
        return self._options.every + self._options.jitter + _REQUESTS * self._options.endpoint.timeout + 30

    async def observe(self, cursor: object, seen: Seen, world: World) -> AsyncGenerator[Observation[HTTPChange], None]:
        """Yield each change, for ever, and a heartbeat for each look that finds none.

        Raises `SourceUnreachable` where there is no good answer, `SensorError` for one that can't be used.
        """
        rounds = await Rounds.of(self._options, cursor, seen, world)
        while True:
            async with aclosing(rounds.look()) as observations:
                async for observation in observations:
                    yield observation
            await rounds.rest()

    def in_words(self, cursor: object) -> str:
        """Say where the sensor stands."""
        return in_words(self._options, cursor)

    async def check(self, world: World) -> None:
        """Ask once, and look whether what is to be watched is there. Raises `SensorError` where it isn't."""
        await checked(self._options, world)


def _change(change: Change | None) -> Change:
    if change is None:
        return Body()
    if not isinstance(change, Change):  # pyright: ignore[reportUnnecessaryIsInstance] - what people write isn't what was asked for
        raise ValueError(f"change={change!r} is unknown: use Body(), Header(), Value(...), Items(...), Feed() or Status()")
    return change


def _jitter(jitter: Duration | None, every: float) -> float:
    length = every / 10 if jitter is None else seconds(jitter)
    if length > every:
        raise ValueError(f"jitter={jitter!r} is more than the time between two looks")
    return length
