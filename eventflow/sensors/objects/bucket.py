"""A prefix in an object store, listed page by page. The one place that knows obstore."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from eventflow.durations import instant_of
from eventflow.errors import EventflowError, SourceUnreachable
from eventflow.secret import HIDDEN, Secret, revealed, without_secrets
from eventflow.sensors.files.globs import Globs
from eventflow.sensors.objects.versions import ObjectVersion
from eventflow.sensors.portions import PORTION
from eventflow.threads import in_loose_thread

if TYPE_CHECKING:
    from obstore import ListStream, ObjectMeta
    from obstore.store import ClientConfig, ObjectStore, RetryConfig

T = TypeVar("T")

SCHEMES = ("s3", "s3a", "gs", "az", "azure", "adl", "abfs", "abfss", "file")
"""The kinds of addresses that are understood."""

_THREAD = "eventflow-list"
_CLIENT: ClientConfig = {"timeout": "30s", "connect_timeout": "10s", "allow_http": True}  # plain HTTP only where an endpoint is written so
_RETRY: RetryConfig = {"max_retries": 2, "retry_timeout": timedelta(seconds=20)}
_LONGEST_TOLD = 300
_SECRET = re.compile("key|secret|token|password|credential", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a listing: the objects that are meant, by their key from the prefix on, and the last such key of all, if there is one.

    `ascending` tells whether the listing has come in the order of its keys so far.
    """

    found: Mapping[str, ObjectVersion]
    last: str | None
    ascending: bool


class Bucket:
    """All objects under an address such as `s3://bucket/prefix`, of which those are meant whose name fits.

    The store is asked in a thread, one page at a time: obstore's own futures may bring a process down that ends just after one of them.
    """

    def __init__(self, url: str, globs: Globs, options: Mapping[str, str | Secret]) -> None:
        self.url = url.rstrip("/")
        self._globs = globs
        self._options = options

    async def pages(self, after: str | None = None, *, size: int = PORTION) -> AsyncGenerator[Page, None]:
        """List the objects, in the order in which the store does; only keys behind `after`, where that is given.

        `after` and a page's `last` are keys as the listing counts them, from the prefix on. Raises `SourceUnreachable`.
        """
        listing = await self._asked(lambda: self._listing(after, size))
        while True:
            page = await self._asked(lambda: next(listing, None))
            if page is None:
                return
            yield page

    def _listing(self, after: str | None, size: int) -> Iterator[Page]:
        import obstore  # noqa: PLC0415  # an optional extra

        store = self._opened()
        prefix = getattr(store, "prefix", None)
        stream: ListStream[Sequence[ObjectMeta]] = obstore.list(store, offset=after, chunk_size=size)  # pyright: ignore[reportUnknownMemberType] - also of a type that isn't installed
        return self._read(stream, f"{prefix}/" if isinstance(prefix, str) and prefix else "")

    def _opened(self) -> ObjectStore:
        from obstore.store import from_url  # noqa: PLC0415  # an optional extra

        config: Any = {name: revealed(value) for name, value in self._options.items()}
        if urlsplit(self.url).scheme == "file":
            return from_url(self.url)
        return from_url(self.url, config=config, client_options=_CLIENT, retry_config=_RETRY)

    def _read(self, stream: ListStream[Sequence[ObjectMeta]], prefix: str) -> Iterator[Page]:
        last: str | None = None
        for listed in stream:
            ascending = True
            for one in listed:
                ascending = ascending and (last is None or _behind(one, last))
                last = one["path"] if last is None else max(last, one["path"])
            found = {one["path"]: self._version(one, prefix) for one in listed if self._is_meant(one["path"])}
            yield Page(found, last, ascending)

    def _is_meant(self, path: str) -> bool:
        folder, _, name = path.rpartition("/")
        return bool(name) and self._globs.names_in(folder)(name)  # the prefix itself may be an object, the mark of a folder

    def _version(self, one: ObjectMeta, prefix: str) -> ObjectVersion:
        return ObjectVersion(
            key=prefix + one["path"],
            url=f"{self.url}/{one['path']}",
            size=one["size"],
            modified=instant_of(one["last_modified"]),
            etag=one["e_tag"],
            version=one["version"],
        )

    async def _asked(self, question: Callable[[], T]) -> T:
        try:
            return await in_loose_thread(question, _THREAD)
        except ImportError as error:
            raise EventflowError("watching an object store needs obstore: pip install 'eventflow[s3]'") from error
        except EventflowError:
            raise
        except Exception as error:  # noqa: BLE001  # obstore has many; and what went wrong is told all the same
            raise SourceUnreachable(f"{self.url} {self._in_words(error)}") from None  # its own text may hold what was signed

    def _in_words(self, error: Exception) -> str:
        """Say what an error of obstore means. Its text is a line for people, then pages for developers."""
        said = str(error).partition("\n\nDebug source")[0]
        for sign, meaning in _MEANINGS:
            if re.search(sign, f"{type(error).__name__}: {said}"):
                return meaning
        return f"can't be listed: {self._hidden(_without_what_changes(said))[:_LONGEST_TOLD]}"

    def _hidden(self, text: str) -> str:
        for name, value in self._options.items():
            if isinstance(value, Secret) or _SECRET.search(name):
                text = text.replace(revealed(value), HIDDEN)
        return without_secrets(text)


def _without_what_changes(said: str) -> str:
    """Give what was said without lengths of time and numbers of requests: the same trouble is to be told in the same words."""
    answer = re.search(r"status code: (\d{3}[^:]*)", said)
    if answer is None:
        return re.sub(r" in [\d.]+[nµm]?s\b", "", " ".join(said.split()))
    return " ".join([f"it answers {answer[1].strip()}", *re.findall(r"<(?:Code|Message)>([^<]*)<", said)])


def _behind(one: ObjectMeta, last: str) -> bool:
    # The mark of a folder, `x/`, is listed behind `x-1`, but obstore calls it `x`.
    return one["path"] > last or (one["size"] == 0 and f"{one['path']}/" > last)


_MEANINGS = (
    (
        r"NoSuchBucket|ContainerNotFound|bucket does not exist",
        "isn't there: no bucket has this name; make it, or change the address",
    ),
    (r"canonicalize filesystem root", "isn't there: make the folder, or change the address"),
    (
        r"169\.254\.169\.254|metadata\.google\.internal|Unauthenticated|InvalidAccessKeyId|SignatureDoesNotMatch|InvalidToken|ExpiredToken",
        "doesn't accept these credentials, or none were found: give them in options=, or in the environment of whoever starts eventflow",
    ),
    (r"PermissionDenied|AccessDenied|status code: 40[13]", "may not be listed with these credentials: give them the right to list it"),
    (r"UnknownConfigurationKey", "has an option that its kind of store doesn't know: see the names in docs/objects.md"),
    (
        r"InvalidPath",
        "holds a key with an empty part, `.` or `..` in it, such as `a//b`, which can't be listed: rename that, or watch another prefix",
    ),
    (r"HTTP error|Connect|timed out|dns error|status code: 5\d\d", "doesn't answer: is its address right, and the network there?"),
)
"""What an error says, and what that means to people."""
