"""What counts as a change of what an endpoint answers, and what its event carries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import msgspec

from eventflow.definition.places import naming_the_line
from eventflow.sensors.options import choice, whole
from eventflow.sensors.paths import JSONPath, parsed

Newest = Literal["first", "last"]

LONGEST_TEXT = 64 * 1024
"""Characters of a body, bytes of a value or an item as JSON, that an event carries."""

DEEPEST = 100
"""Lists and objects inside each other, in a value or an item that an event carries."""


class HTTPChange(msgspec.Struct, frozen=True, kw_only=True):
    """What has changed. `url` is the endpoint's, without credentials.

    `before` and `after` are the values of a `Value`, the digests (BLAKE2b-256) of a `Body`, the headers of a `Header`, `"up"` or `"down"`
    of a `Status`; `before` is None at the first look. `item` is the new item of `Items` or `Feed`. `body` is the text of a `Body`, None
    where it is none. `status` is that of the answer, None where there was none; `reason` says why a `Status` is down. `cut` tells that
    something is too large to be carried, or nested too deep, and was left out (a value, an item) or cut off (a body).
    """

    url: str
    status: int | None
    before: object = None
    after: object = None
    item: object = None
    body: str | None = None
    etag: str | None = None
    modified: str | None = None
    reason: str | None = None
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Body:
    """Any byte of the body. ETag and Last-Modified save the transfer while nothing changes; the body's digest decides."""


@dataclass(frozen=True, slots=True)
class Header:
    """Some headers, by default ETag and Last-Modified, asked for by HEAD: for what is too large to be fetched often.

    Headers lie: many servers change an ETag of what has stayed the same. So the body is fetched when they have changed, and its digest
    decides. With `confirm=False` it never is, and the headers alone decide. Raises `DefinitionError`, which names the line.
    """

    names: tuple[str, ...] = ("ETag", "Last-Modified")
    confirm: bool = True

    def __init__(self, *names: str, confirm: bool = True) -> None:
        with naming_the_line():
            if not all(isinstance(name, str) and name.isascii() and name.isprintable() and name for name in names):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise ValueError(f"Header{names!r}: give the names of headers, such as Header('X-Version')")
        object.__setattr__(self, "names", names or ("ETag", "Last-Modified"))
        object.__setattr__(self, "confirm", confirm)


@dataclass(frozen=True, slots=True)
class Value:
    """The value at a place of a JSON answer, such as `data.updated_at` or `models[0].accuracy`. `""` is the whole document.

    Where there is nothing at that place, the sensor is degraded and says so. Raises `DefinitionError`, which names the line.
    """

    path: str
    place: JSONPath = field(init=False, repr=False)

    def __post_init__(self) -> None:
        with naming_the_line():
            object.__setattr__(self, "place", parsed(self.path, "path"))


@dataclass(frozen=True, slots=True)
class Items:
    """Each item of a list in a JSON answer, once, told by its id.

    `path` is where the list stands, `""` where it is the whole answer. `id` is where an item's id stands in it; several places make one id
    together, so that `id=("id", "updated_at")` fires again when an item is updated.

    `next` is where the address of the next page stands: `"link"`, in the header `Link` as `rel=next`; else a place in the answer, whose
    value is an address, or, with `parameter`, what this parameter of the query is to be for the next page. Without it there is one page.
    With `newest="first"` pages are read up to the first one on which nothing is new, and events come oldest first. With `newest="last"` all
    pages are read each time. `pages` is how many of them the first look takes in at most.

    Raises `DefinitionError`, which names the line, for what can't be meant.
    """

    path: str
    id: str | Sequence[str] = "id"
    next: str | None = "link"
    parameter: str | None = None
    newest: Newest = "first"
    pages: int = 10
    place: JSONPath = field(init=False, repr=False)
    ids: tuple[JSONPath, ...] = field(init=False, repr=False)
    next_place: JSONPath | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        with naming_the_line():
            self._check()
            written = (self.id,) if isinstance(self.id, str) else tuple(self.id)
            object.__setattr__(self, "place", parsed(self.path, "path"))
            object.__setattr__(self, "ids", tuple(parsed(one, "id") for one in written))
            object.__setattr__(self, "next_place", None if self.next in (None, "link") else parsed(str(self.next), "next"))

    def _check(self) -> None:
        if not self.id:
            raise ValueError(f"id={self.id!r}: say where in an item its id stands, such as id='id'")
        choice("newest", self.newest, Newest)
        whole("pages", self.pages, most=MOST_PAGES)
        if self.parameter is not None and self.next in (None, "link"):
            raise ValueError(f"parameter={self.parameter!r} needs next=, the place in the answer where its value stands")


@dataclass(frozen=True, slots=True)
class Feed:
    """Each item of an RSS or Atom feed, once, told by its `guid` or `id`, else by its link."""


@dataclass(frozen=True, slots=True)
class Status:
    """Whether the endpoint is up: answers with a status from 200 to 299, behind its redirects, within the time.

    It counts as down after `after` looks in a row that failed, so that one lost packet wakes nobody. Raises `DefinitionError`, which names
    the line, for what can't be meant.
    """

    after: int = 2

    def __post_init__(self) -> None:
        with naming_the_line():
            whole("after", self.after)


MOST_PAGES = 1000
"""Pages of one look: beyond them, something is wrong with the server."""

State: TypeAlias = Body | Header | Value | Status
Change: TypeAlias = State | Items | Feed
