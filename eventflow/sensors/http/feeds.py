"""RSS and Atom feeds as lists of items. What a feed could do with XML's own means (types, entities, other files) is refused."""

from __future__ import annotations

from xml.parsers import expat

from eventflow import codec
from eventflow.sensors.http.failures import Unusable

_ITEMS = frozenset({"item", "entry"})
_DEEPEST = 100
_MOST = 10_000

Item = dict[str, str]


def items(body: bytes) -> list[Item]:
    """Give a feed's items in its order, each with the texts of its own elements: `id`, `title`, `link`, `published`, `summary` and so on.

    RSS's `guid` is `id`, its `pubDate` `published`, and its `description` `summary`, as Atom calls them. An item without an id has its
    link for one, or else a digest of it. Raises `Unusable` for what is no feed, or declares a document type.
    """
    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = reader.begin
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = _refuse  # without it there can be no entity, so none that grows or reads a file
    try:
        parser.Parse(body, True)  # noqa: FBT003 - expat takes no names
    except expat.ExpatError as error:
        raise Unusable(f"the answer is no feed: line {error.lineno}: {expat.ErrorString(error.code)}") from None
    except (ValueError, LookupError):
        raise Unusable("the answer is no feed: it is in an encoding that can't be read") from None
    if not reader.is_feed:
        raise Unusable("the answer is XML, but neither RSS nor Atom")
    return reader.items


class _Reader:
    def __init__(self) -> None:
        self.items: list[Item] = []
        self.is_feed = False
        self._open: list[str] = []
        self._item: Item | None = None
        self._depth = 0
        self._text: list[str] = []

    def begin(self, element: str, attributes: dict[str, str]) -> None:
        space, _, name = element.rpartition(" ")
        if not self._open:
            self.is_feed = name in ("rss", "feed", "RDF")
        self._open.append(name)
        if len(self._open) > _DEEPEST:
            raise Unusable(f"the answer is no feed: its elements are nested more than {_DEEPEST} deep")
        if self._item is None and name in _ITEMS:
            self._begin_item(attributes)
        elif self._item is not None and len(self._open) == self._depth + 1:
            self._text = []
            if name == "link" and space in _SPACES and attributes.get("rel", "alternate") == "alternate" and "href" in attributes:
                self._item.setdefault("link", attributes["href"])

    def end(self, element: str) -> None:
        space, _, name = element.rpartition(" ")
        if self._item is not None and len(self._open) == self._depth + 1:
            text = "".join(self._text).strip()
            if text and space in _SPACES:
                self._item.setdefault(_NAMES.get(name, name), text)
        elif self._item is not None and len(self._open) == self._depth:
            self._end_item(self._item)
        self._open.pop()

    def text(self, data: str) -> None:
        if self._item is not None and len(self._open) > self._depth:
            self._text.append(data)

    def _begin_item(self, attributes: dict[str, str]) -> None:
        if len(self.items) >= _MOST:
            raise Unusable(f"the feed has more than {_MOST} items")
        self._item, self._depth, self._text = {}, len(self._open), []
        about = next((value for name, value in attributes.items() if name.endswith(" about")), None)  # RSS 1.0
        if about:
            self._item["id"] = about

    def _end_item(self, item: Item) -> None:
        if "id" not in item:
            item["id"] = item.get("link") or codec.digest(codec.canonical(item))
        self.items.append(item)
        self._item = None


_SPACES = frozenset({"", "http://www.w3.org/2005/Atom", "http://purl.org/rss/1.0/", "http://purl.org/dc/elements/1.1/"})
"""Extensions have elements of the same names, such as the title of a picture: they are left out."""

_NAMES = {"guid": "id", "pubDate": "published", "date": "published", "description": "summary"}


def _refuse(*_: object) -> None:
    raise Unusable(
        "the answer declares a document type (DOCTYPE), which a feed has no need for and which may hide an attack: it is refused"
    )
