"""The object sensor: a bucket, or a prefix in one, in which each new object, and each new version of one, is an event."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from eventflow.definition.places import naming_the_line, user_place
from eventflow.durations import Duration
from eventflow.events import Observation
from eventflow.ports import Seen, World
from eventflow.secret import Secret, without_secrets
from eventflow.sensors.files.globs import Globs
from eventflow.sensors.objects.bucket import SCHEMES, Bucket
from eventflow.sensors.objects.rounds import AllKeys, GrowingKeys, ObjectOptions, last_key
from eventflow.sensors.objects.versions import ObjectVersion
from eventflow.sensors.options import Existing, Identity, choice, name_of, pause

Order = Literal["any", "growing"]


class ObjectSensor:
    """Fires once for each version of each object under an address such as `s3://bucket/prefix`, and never again for it.

        raw = ObjectSensor("raw", "s3://measurements/raw", match="*.csv", every="1m")

    `url` names the store and where in it to look: `s3://`, `gs://`, `az://` or `abfss://`, and `file://` for a folder to try things with.
    `match` is one shell pattern or several, about what follows on the prefix: one without `/` is about the name alone, at any depth.

    With `identity="version"` an object that is written again is a new event; with `"content"` only if its ETag differs; with `"path"`
    never. `every` is how long to rest between two listings. `existing="ignore"` leaves alone what is there at the first look ever.
    `order="growing"` promises that keys only ever grow, so that only what stands behind the last one need be listed: a lower key that comes
    later is never seen.

    `options` go to the store: `region`, `endpoint`, `access_key_id`, `secret_access_key` and others, by obstore's names; what is secret as
    a `Secret`. Without them the environment tells, as it does for the store's own tools.

    Raises `DefinitionError`, which names the line, for what can't be meant.
    """

    def __init__(
        self,
        name: str,
        url: str,
        *,
        match: str | Sequence[str] = "*",
        identity: Identity = "version",
        every: Duration = "1m",
        existing: Existing = "fire",
        order: Order = "any",
        options: Mapping[str, str | Secret] | None = None,
    ) -> None:
        self.place = user_place()
        with naming_the_line():
            self._options = ObjectOptions(
                name=name_of(name),
                bucket=Bucket(_address(url), Globs(match), _settings(url, options or {})),
                identity=choice("identity", identity, Identity),
                ignore_existing=choice("existing", existing, Existing) == "ignore",
                growing=choice("order", order, Order) == "growing",
                every=pause("every", every, "1s"),  # each listing costs money
            )

    def __repr__(self) -> str:
        return f"<ObjectSensor {self.name!r}: {self.url}>"

    @property
    def name(self) -> str:
        """What its events carry as their source."""
        return self._options.name

    @property
    def url(self) -> str:
        """Where it looks."""
        return self._options.bucket.url

    @property
    def interval(self) -> float:
        """The longest time, in seconds, between two observations of a healthy sensor."""
        return 3 * self._options.every + 120

    def in_words(self, cursor: object) -> str:
        """Say what a cursor of this sensor means."""
        if cursor is None:
            return "has not looked yet"
        last = last_key(cursor, self.url)
        return f"knows what is in {self.url}" if last is None else f"knows what is in {self.url} up to the key {last!r}"

    async def check(self, world: World) -> None:  # noqa: ARG002 - the port has it
        """Return where the address can be listed. Raises `SourceUnreachable` where it can't be."""
        async with aclosing(self._options.bucket.pages(size=1)) as pages:
            async for _ in pages:
                return

    async def observe(self, cursor: object, seen: Seen, world: World) -> AsyncGenerator[Observation[ObjectVersion], None]:
        """Yield what is new in the bucket, for ever, and a heartbeat after each round.

        Raises `SourceUnreachable`, or `SensorError` where the store doesn't bear the options; a later start goes on as if nothing had been.
        """
        rounds = (GrowingKeys if self._options.growing else AllKeys)(self._options, cursor, seen, world)
        while True:
            async with aclosing(rounds.look()) as observations:
                async for observation in observations:
                    yield observation
            await world.clock.sleep(self._options.every)


def _address(url: str) -> str:
    if not isinstance(url, str):  # pyright: ignore[reportUnnecessaryIsInstance] - what people write isn't what was asked for
        raise ValueError(f"url={url!r} is no text: give an address such as 's3://bucket/prefix'")
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES or not (parts.path if parts.scheme == "file" else parts.netloc):
        raise ValueError(
            f"url={_bare(parts)!r} is no object store: give one such as 's3://bucket/prefix', 'gs://bucket' or 'file:///folder'"
        )
    if parts.password is not None or (parts.username is not None and not parts.scheme.startswith("abfs")) or parts.query or parts.fragment:
        raise ValueError(f"url={_bare(parts)!r} carries more than a bucket and a prefix: credentials and settings go in options=")
    return url


def _bare(parts: SplitResult) -> str:
    """Give an address without anything in which a credential could be."""
    return without_secrets(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}" if parts.scheme else parts.path)


def _settings(url: str, options: Mapping[str, str | Secret]) -> Mapping[str, str | Secret]:
    if options and url.startswith("file:"):
        raise ValueError("options have no meaning for a folder: leave them out")
    for name, value in options.items():
        if not isinstance(name, str) or not isinstance(value, str | Secret):  # pyright: ignore[reportUnnecessaryIsInstance] - what people write isn't what was asked for
            raise ValueError(f"options: {name!r} has a {type(value).__name__}: give a text, or a Secret")
    return dict(options)
