"""Lists of which each item fires once: in one answer, over pages, in feeds."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from typing import Any

import httpx
import pytest

from eventflow.errors import SensorError, SourceUnreachable
from eventflow.sensors.http.changes import LONGEST_TEXT
from eventflow.sensors.http.sensor import Feed, HTTPSensor, Items
from tests.sensors.http.looking import look, trouble
from tests.sensors.http.server import Asked, Reply, Server, as_json, sends_on, serving
from tests.sensors.http.test_feeds import RSS
from tests.sensors.http.test_sensor import whole_look
from tests.sensors.outside import Book, Crashed


def ids(*numbers: object) -> Reply:
    return as_json({"items": [{"id": number} for number in numbers]})


class Tracker:
    """A paged list that grows and shrinks, and tells of its next page in the header `Link`."""

    def __init__(self, server: Server, *, newest: str = "first", size: int = 3) -> None:
        self._size = size
        self.items: list[int] = []
        self.url = server.at("/list", self.page)
        self._server = server
        self._newest = newest

    def page(self, asked: Asked) -> Reply:
        number = int(httpx.URL("http://h" + asked.target).params.get("page", "1"))
        whole = sorted(self.items, reverse=self._newest == "first")
        end = self._size * number
        link = {"Link": f'<{self.url}?page={number + 1}>; rel="next", <{self.url}>; rel="first"'} if whole[end:] else {}
        return as_json([{"id": item} for item in whole[end - self._size : end]], **link)

    @property
    def pages_asked(self) -> int:
        asked, self._server.asked[:] = len(self._server.asked), []
        return asked


async def test_each_new_item_fires_once_and_what_was_there_does_not() -> None:
    async with serving() as server:
        sensor = HTTPSensor("source", server.at("/l", ids(2, 1), ids(2, 1), ids(4, 3, 2, 1), ids(4, 3)), change=Items("items"))
        book = Book()
        for _ in range(4):
            await whole_look(sensor, book)
    assert book.ids == ["3", "4"]
    assert [event.data.item for event in book.events] == [{"id": 3}, {"id": 4}]
    assert [(event.type, event.subject) for event in book.events] == [("item", "3"), ("item", "4")]
    assert book.repeated == []


async def test_what_is_there_at_first_fires_if_asked_for_oldest_first() -> None:
    async with serving() as server:
        sensor = HTTPSensor("source", server.at("/l", ids(2, 1)), change=Items("items"), existing="fire")
        book = Book()
        await whole_look(sensor, book)
        await whole_look(sensor, book)
    assert book.ids == ["1", "2"]


async def test_an_item_that_goes_and_comes_back_does_not_fire_again() -> None:
    async with serving() as server:
        sensor = HTTPSensor("source", server.at("/l", ids(), ids(1), ids(), ids(1)), change=Items("items"))
        book = Book()
        for _ in range(4):
            await whole_look(sensor, book)
    assert book.ids == ["1"]


async def test_an_item_that_appears_anywhere_in_a_single_page_fires() -> None:
    async with serving() as server:
        sensor = HTTPSensor("source", server.at("/l", ids(9, 5), ids(9, 7, 5, 1)), change=Items("items"))
        book = Book()
        await whole_look(sensor, book)
        await whole_look(sensor, book)
    assert book.ids == ["1", "7"]


async def test_items_of_another_address_are_told_apart_from_those_of_the_first() -> None:
    def at(path: str) -> HTTPSensor:
        return HTTPSensor("source", server.url + path, change=Items("items"), existing="fire")

    async with serving() as server:
        server.at("/staging", ids(2, 1))
        server.at("/production", ids(3, 2, 1), ids(4, 3, 2, 1))
        book = Book()
        for path in ("/staging", "/staging", "/production", "/production", "/staging"):
            await whole_look(at(path), book)
    assert [event.subject for event in book.events] == ["1", "2", "1", "2", "3", "4"]
    assert book.ids[:2] == ["1", "2"]
    assert len(set(book.ids)) == 6
    assert book.repeated == []


async def test_at_another_address_what_is_there_is_known_and_only_what_comes_fires() -> None:
    async with serving() as server:
        server.at("/production", ids(2, 1), ids(3, 2, 1))
        book = Book()
        await whole_look(HTTPSensor("source", server.at("/staging", ids(3)), change=Items("items")), book)
        for _ in range(2):
            await whole_look(HTTPSensor("source", server.url + "/production", change=Items("items")), book)
    assert [event.subject for event in book.events] == ["3"]


@pytest.mark.parametrize("cursor", [None, {"last": 7}], ids=["none", "of another kind"])
async def test_identities_that_another_kind_of_sensor_took_swallow_nothing_over_crashes(cursor: object) -> None:
    for commits in range(4):
        async with serving() as server:
            sensor = HTTPSensor("source", server.at("/l", ids(*range(600, 0, -1))), change=Items("items"), existing="fire")
            book = Book()
            book.cursor, book.taken = cursor, {"1": None}
            book.commits_left = commits
            with suppress(Crashed):
                await whole_look(sensor, book)
            book.commits_left = None
            await whole_look(sensor, book)
            assert [event.data.item["id"] for event in book.events] == list(range(1, 601))


async def test_an_item_nested_too_deep_to_be_carried_fires_without_its_content() -> None:
    async with serving() as server:
        deep = Reply(b'{"items": [{"id": 1, "x": ' + b"[" * 700 + b"]" * 700 + b'}, {"id": 2, "x": {"$path": "a"}}]}')
        sensor, book = HTTPSensor("source", server.at("/l", deep), change=Items("items"), existing="fire"), Book()
        await whole_look(sensor, book)
    assert [(event.data.item, event.data.cut) for event in book.events] == [({"id": 2, "x": {"$path": "a"}}, False), (None, True)]


async def test_several_places_make_one_id() -> None:
    def at(moment: str) -> Reply:
        return as_json([{"id": 1, "meta": {"at": moment}}])

    async with serving() as server:
        sensor = HTTPSensor("source", server.at("/l", at("a"), at("a"), at("b")), change=Items("", id=("id", "meta.at")))
        book = Book()
        for _ in range(3):
            await whole_look(sensor, book)
    assert book.ids == ['[1,"b"]']


@pytest.mark.parametrize("odd", ["x" * 300, "a\nb", "\u202e", "a\x00b"])
async def test_an_odd_id_is_told_apart_by_its_digest(odd: str) -> None:
    async with serving() as server:
        sensor = HTTPSensor("source", server.at("/l", ids(), ids(odd, odd + "y"), ids(odd + "y", odd)), change=Items("items"))
        book = Book()
        for _ in range(3):
            await whole_look(sensor, book)
    assert len(book.ids) == 2
    assert all(one.startswith("digest:") and one.isprintable() for one in book.ids)


@pytest.mark.parametrize("wrong", [None, True, 1.5, [], {}, ""])
async def test_an_item_without_a_usable_id_is_told(wrong: object) -> None:
    async with serving() as server:
        assert "item 1 of the list has an id that is neither" in str(
            await trouble(HTTPSensor("source", server.at("/l", ids(1, wrong)), change=Items("items")))
        )
        assert "item 0 of the list has no id: there is nothing at 'no'" in str(
            await trouble(HTTPSensor("source", server.at("/l", ids(1)), change=Items("items", id="no")))
        )


async def test_what_is_no_list_is_told() -> None:
    async with serving() as server:
        assert "is no list" in str(await trouble(HTTPSensor("source", server.at("/l", as_json({"items": {}})), change=Items("items"))))
        assert "there are the keys 'x'" in str(
            await trouble(HTTPSensor("source", server.at("/l", as_json({"x": 1})), change=Items("items")))
        )


async def test_an_item_too_large_to_be_carried_fires_without_its_content() -> None:
    async with serving() as server:
        sensor = HTTPSensor(
            "source", server.at("/l", ids(), as_json({"items": [{"id": 1, "x": "y" * LONGEST_TEXT}]})), change=Items("items")
        )
        book = Book()
        await whole_look(sensor, book)
        await whole_look(sensor, book)
    [event] = book.events
    assert (event.id, event.data.item, event.data.cut) == ("1", None, True)


class StrictBook(Book):
    async def of(self, ids: Collection[str]) -> frozenset[str]:
        assert len(ids) <= 500  # a database takes only so many values in one question
        return await super().of(ids)


async def test_a_long_list_is_taken_in_parts() -> None:
    async with serving() as server:
        told = [as_json(list(range(last, 0, -1))) for last in (1200, 2400)]
        sensor, book = HTTPSensor("source", server.at("/l", *told), change=Items("", id="$")), StrictBook()
        await whole_look(sensor, book)
        await whole_look(sensor, book)
    assert book.ids == [str(number) for number in range(1201, 2401)]
    assert all(len(seen.events) <= 500 and len(seen.known) <= 500 for seen in book.observations)


# Pages


async def test_pages_are_read_up_to_the_first_with_nothing_new() -> None:
    async with serving() as server:
        tracker = Tracker(server)
        tracker.items = list(range(1, 13))
        sensor, book = HTTPSensor("source", tracker.url, change=Items("")), Book()
        await whole_look(sensor, book)
        assert tracker.pages_asked == 4
        await whole_look(sensor, book)
        assert tracker.pages_asked == 1
        tracker.items += range(13, 18)
        await whole_look(sensor, book)
        assert tracker.pages_asked == 3
    assert book.ids == ["13", "14", "15", "16", "17"]


async def test_an_old_item_that_moves_up_a_page_is_not_new() -> None:
    async with serving() as server:
        tracker = Tracker(server)
        tracker.items = list(range(1, 10))
        sensor, book = HTTPSensor("source", tracker.url, change=Items("")), Book()
        await whole_look(sensor, book)
        tracker.items = [1, 2, 3, 4, 9]
        await whole_look(sensor, book)
    assert book.ids == []


async def test_the_first_look_takes_in_so_many_pages_and_no_more() -> None:
    async with serving() as server:
        tracker = Tracker(server)
        tracker.items = list(range(1, 100))
        sensor, book = HTTPSensor("source", tracker.url, change=Items("", pages=2), existing="fire"), Book()
        await whole_look(sensor, book)
        assert tracker.pages_asked == 2
        tracker.items.append(100)
        await whole_look(sensor, book)
    assert book.ids == ["94", "95", "96", "97", "98", "99", "100"]


async def test_a_crash_in_a_burst_over_many_pages_loses_nothing_and_doubles_nothing() -> None:
    for commits in range(10):
        async with serving() as server:
            tracker = Tracker(server, size=100)
            tracker.items = [1, 2, 3, 4]
            sensor, book = HTTPSensor("source", tracker.url, change=Items("")), Book()
            await whole_look(sensor, book)
            tracker.items = list(range(1, 700))
            book.commits_left = commits
            with suppress(Crashed):
                await whole_look(sensor, book)
            book.commits_left = None
            tracker.items.append(700)
            await whole_look(sensor, book)
            assert book.ids == [str(number) for number in range(5, 701)]
            assert book.repeated == []


async def test_a_crash_in_the_first_look_or_in_a_burst_is_not_hidden_by_an_unchanged_page() -> None:
    def honest(size: int) -> Any:
        def told(asked: Asked) -> Reply:
            if asked.headers.get("if-none-match") == f'"{size}"':
                return Reply(status=304)
            return as_json(list(range(size, 0, -1)), ETag=f'"{size}"')

        return told

    async with serving() as server:
        sensor = HTTPSensor("source", server.url + "/l", change=Items("", id="$"))
        for first, second in (*((crash, 9) for crash in range(5)), *((9, crash) for crash in range(5))):
            book = Book()
            for size, commits in ((1200, first), (2400, second)):
                server.at("/l", honest(size))
                book.commits_left = commits
                with suppress(Crashed):
                    await whole_look(sensor, book)
                book.commits_left = None
                await whole_look(sensor, book)
            assert book.ids == [str(number) for number in range(1201, 2401)]


async def test_a_list_whose_newest_is_last_is_read_to_its_end_in_its_order() -> None:
    async with serving() as server:
        tracker = Tracker(server, newest="last")
        tracker.items = list(range(1, 8))
        sensor, book = HTTPSensor("source", tracker.url, change=Items("", newest="last", pages=1)), Book()
        await whole_look(sensor, book)
        tracker.items += [8, 9, 10]
        await whole_look(sensor, book)
    assert book.ids == ["8", "9", "10"]
    assert all("if-none-match" not in asked.headers for asked in server.asked)


@pytest.mark.parametrize("options", [{"next": "paging.next"}, {"next": "paging.cursor", "parameter": "after"}])
async def test_the_next_page_may_be_told_in_the_answer(options: dict[str, Any]) -> None:
    def page(asked: Asked) -> Reply:
        after = int(httpx.URL("http://h" + asked.target).params.get("after", "0"))
        paging = {"next": f"/l?after={after + 1}", "cursor": after + 1} if after < 2 else {"next": None}
        return as_json({"items": [{"id": after}], "paging": paging})

    async with serving() as server:
        sensor = HTTPSensor("source", server.at("/l", page), change=Items("items", **options), existing="fire", query={"key": "k"})
        book = Book()
        await whole_look(sensor, book)
    assert book.ids == ["2", "1", "0"]
    assert all("key=k" in asked.target for asked in server.asked)


async def test_a_first_page_that_has_not_changed_ends_the_look() -> None:
    async with serving() as server:
        one = as_json([{"id": 1}], ETag='"1"')
        sensor = HTTPSensor("source", server.at("/l", one, Reply(status=304), as_json([{"id": 2}, {"id": 1}])), change=Items(""))
        book = Book()
        for _ in range(3):
            await whole_look(sensor, book)
    assert [asked.headers.get("if-none-match") for asked in server.asked] == [None, '"1"', '"1"']
    assert book.ids == ["2"]


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ("<http://10.0.0.1/x>; rel=next", "on another server"),
        ("<https://127.0.0.1/x>; rel=next", "on another server"),
        ("<file:///etc/passwd>; rel=next", "isn't one"),
        ("<http://[>; rel=next", "isn't one"),
        ("</l>; rel=next", "round in a circle"),
    ],
)
async def test_A70_A73_a_next_page_that_is_none_or_elsewhere_is_refused(link: str, said: str) -> None:
    async with serving() as server:
        error = await trouble(HTTPSensor("source", server.at("/l", as_json([{"id": 1}], Link=link)), change=Items("")))
    assert said in str(error)


async def test_pages_without_an_end_end() -> None:
    def page(asked: Asked) -> Reply:
        number = int(httpx.URL("http://h" + asked.target).params.get("page", "1"))
        return as_json([{"id": number, "x": "y" * 1000}], Link=f"</l?page={number + 1}>; rel=next")

    async with serving() as server:
        sensor = HTTPSensor("source", server.at("/l", page), change=Items("", pages=1), largest="2KiB")
        book = Book()
        await whole_look(sensor, book)
        book.taken.clear()
        with pytest.raises(SensorError, match="its pages together are larger than 10 times"):
            await whole_look(sensor, book)
    assert book.ids == []


async def test_a_page_that_fails_moves_nothing_and_what_was_new_comes_at_the_next_look() -> None:
    async with serving() as server:
        one = as_json([{"id": 9}], Link="</m>; rel=next")
        first = as_json([{"id": 5}])
        sensor, book = HTTPSensor("source", server.at("/l", first, one, one), change=Items("")), Book()
        await whole_look(sensor, book)
        server.at("/m", Reply(status=500), as_json([{"id": 7}]))
        before = book.cursor
        with pytest.raises(SourceUnreachable, match=r"\(page 2\): answered 500"):
            await whole_look(sensor, book)
        assert book.cursor == before
        await whole_look(sensor, book)
    assert book.ids == ["7", "9"]


async def test_a_page_may_be_behind_a_redirect() -> None:
    async with serving() as server:
        server.at("/m", as_json([{"id": 1}]))
        sensor = HTTPSensor("source", server.at("/l", sends_on("/m")), change=Items(""), existing="fire")
        assert [change.item for change in await look(sensor, Book(), observations=2)] == [{"id": 1}]


# Feeds


async def test_each_item_of_a_feed_fires_once_oldest_first() -> None:
    async with serving() as server:
        more = RSS.replace(b"<item><media", b"<item><guid>g3</guid></item><item><media")
        sensor, book = HTTPSensor("source", server.at("/f", RSS_REPLY, Reply(more)), change=Feed(), existing="fire"), Book()
        await whole_look(sensor, book)
        await whole_look(sensor, book)
    assert [event.data.item.get("id") for event in book.events[1:]] == ["http://h/1", "g2", "g3"]


RSS_REPLY = Reply(RSS, headers={"Content-Type": "application/rss+xml"})


async def test_A48_a_feed_with_entities_is_an_error() -> None:
    async with serving() as server:
        error = await trouble(HTTPSensor("source", server.at("/f", Reply(b'<!DOCTYPE r [<!ENTITY a "b">]><rss/>')), change=Feed()))
    assert "DOCTYPE" in str(error)
