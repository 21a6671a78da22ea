"""A list of which each item is an event: a feed, or the pages of a JSON answer. One look through it, and what is new on it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import cast

import httpx

from eventflow import codec
from eventflow.errors import SensorError
from eventflow.sensors.http import feeds
from eventflow.sensors.http.addresses import accepted, origin
from eventflow.sensors.http.changes import MOST_PAGES, Feed, Items
from eventflow.sensors.http.failures import Unusable, telling
from eventflow.sensors.http.fetch import NOT_MODIFIED, Answer, Ask, Fetch
from eventflow.sensors.http.memory import Memory
from eventflow.sensors.http.spaces import Space
from eventflow.sensors.http.states import document
from eventflow.sensors.paths import Absent
from eventflow.threads import in_thread

_LONGEST_ID = 200
_LARGEST_LOOK = 10
"""All pages of one look together may be so many times as large as one answer."""


@dataclass(frozen=True, slots=True)
class Page:
    """The items of one page by their own ids, in its order. `next` is where it goes on, None on the last."""

    items: Mapping[str, object]
    next: httpx.URL | None
    answer: Answer


@dataclass(frozen=True, slots=True)
class News:
    """What was new in a list, oldest first, and the first page's answer. `more`: there are pages that weren't read."""

    items: Mapping[str, object]
    first: Answer
    more: bool


async def pages(change: Items | Feed, fetch: Fetch, memory: Memory, *, conditional: bool) -> AsyncGenerator[Page, None]:
    """Yield a list page by page; nothing where the answer is that the first one hasn't changed. Raises `SensorError`."""
    ask, size, known = Ask(headers=memory.conditions if conditional else {}), 0, {fetch.endpoint.url}
    while True:
        answer = await fetch.good(ask)
        size += len(answer.body)
        with telling(answer.what, fetch.endpoint.timeout):
            if answer.status == NOT_MODIFIED:
                return
            if size > _LARGEST_LOOK * fetch.endpoint.largest:
                raise Unusable(f"its pages together are larger than {_LARGEST_LOOK} times the sensor's `largest`")
            page = await _page(change, answer, ask.url or fetch.endpoint.url, fetch)
            if page.next in known:
                raise Unusable(f"its pages go round in a circle: page {ask.page} leads to one that was read already")
        yield page
        if page.next is None:
            return
        known.add(page.next)
        ask = Ask(url=page.next, page=ask.page + 1)


async def news(
    change: Items | Feed, found: AsyncGenerator[Page, None], space: Space, most: int | None
) -> AsyncGenerator[News | None, None]:
    """Go through pages and yield None after each, then what was new on them all, if there was a page.

    Nothing is given before all is read, and then the oldest first: so whatever of it a crash leaves out is still in one piece with what
    is new at the next look, with no known page in between that would end it. `most` is how many pages are read at all.
    """
    new: dict[str, object] = {}
    first, more, count = None, False, 0
    async with aclosing(found) as each:
        async for page in each:
            count += 1
            first = first or page.answer
            taken = await space.taken(tuple(page.items))
            fresh = {own: item for own, item in page.items.items() if own not in taken}
            new = {**new, **{own: item for own, item in fresh.items() if own not in new}}
            more = page.next is not None
            yield None
            if _is_enough(change, fresh, count, most):
                break
            if more and count >= MOST_PAGES:
                too_many = f"it has more than {MOST_PAGES} pages with something new on them, more than a sensor reads at once"
                raise SensorError(f"{page.answer.what}: {too_many}")
    if first is not None:
        yield News(_oldest_first(change, new), first, more)


def _is_enough(change: Items | Feed, fresh: Collection[str], count: int, most: int | None) -> bool:
    if most is not None:
        return count >= most
    return not fresh and (isinstance(change, Feed) or change.newest == "first")


def _oldest_first(change: Items | Feed, items: Mapping[str, object]) -> Mapping[str, object]:
    newest_first = isinstance(change, Feed) or change.newest == "first"
    return dict(reversed(list(items.items()))) if newest_first else items


async def _page(change: Items | Feed, answer: Answer, url: httpx.URL, fetch: Fetch) -> Page:
    if isinstance(change, Feed):
        found = await in_thread(feeds.items, answer.body)
        return Page(_by_id(cast("Sequence[object]", found), _FEED), None, answer)
    whole = document(answer)
    try:
        listed = change.place.of(whole)
    except Absent as error:
        raise Unusable(str(error)) from None
    if not isinstance(listed, list):
        raise Unusable(f"what stands at {change.path!r} is no list: name the place of one")
    return Page(_by_id(cast("list[object]", listed), change), _next(change, answer, whole, url, fetch), answer)


def _by_id(listed: Sequence[object], change: Items) -> Mapping[str, object]:
    items: dict[str, object] = {}
    for number, item in enumerate(listed):
        try:
            parts = [place.of(item) for place in change.ids]
        except Absent as error:
            raise Unusable(f"item {number} of the list has no id: {error}") from None
        items.setdefault(_identity(parts, number), item)
    return items


def _identity(parts: list[object], number: int) -> str:
    for part in parts:
        if isinstance(part, bool) or not isinstance(part, str | int) or part == "":
            raise Unusable(f"item {number} of the list has an id that is neither a text nor a whole number")
    identity = str(parts[0]) if len(parts) == 1 else codec.canonical(parts).decode()
    if len(identity) <= _LONGEST_ID and identity.isprintable():
        return identity
    return f"digest:{codec.digest(identity.encode('utf-8', 'surrogatepass'))}"


def _next(change: Items, answer: Answer, whole: object, url: httpx.URL, fetch: Fetch) -> httpx.URL | None:
    if change.next is None:
        return None
    said = _linked(answer) if change.next_place is None else _pointed(change, whole)
    if said is None or said == "" or said is False:
        return None
    if isinstance(said, bool) or not isinstance(said, str | int):
        raise Unusable(f"what stands at {change.next!r} is neither an address nor a value for the next page")
    if change.parameter is not None:
        return url.copy_set_param(change.parameter, str(said))
    return _same_server(url, str(said), fetch)


def _linked(answer: Answer) -> str | None:
    response = httpx.Response(answer.status, headers=answer.headers)
    return response.links.get("next", {}).get("url")


def _pointed(change: Items, whole: object) -> object:
    try:
        return None if change.next_place is None else change.next_place.of(whole)
    except Absent:
        return None  # many servers leave it out on the last page


def _same_server(url: httpx.URL, said: str, fetch: Fetch) -> httpx.URL:
    """Give the address of the next page. It gets the credentials, so it must be where the first one was."""
    try:
        following = accepted(str(url.join(said.partition("#")[0])))
    except (httpx.InvalidURL, ValueError):
        raise Unusable("the address that it gives for its next page isn't one") from None
    if origin(following) != origin(fetch.endpoint.url):
        raise Unusable("its next page is on another server, where the sensor's credentials would go: it is refused")
    return following.copy_merge_params(fetch.endpoint.revealed_query) if fetch.endpoint.query else following


_FEED = Items("")
"""How items stand in what `feeds.items` gives."""
