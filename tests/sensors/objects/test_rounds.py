"""Many objects at once: pages that are taken as they are committed, in memory that what is there bounds."""

from __future__ import annotations

import tracemalloc
from typing import Any

import obstore
import pytest
from obstore.store import MemoryStore

from eventflow.sensors.files.globs import Globs
from eventflow.sensors.objects.bucket import Bucket
from eventflow.sensors.objects.rounds import AllKeys, GrowingKeys, ObjectOptions
from eventflow.sensors.portions import PORTION
from tests.sensors.outside import Book, outside

MANY = 100_000


class InMemory(Bucket):
    """A bucket in this process's memory, which counts how many pages were asked for."""

    def __init__(self, count: int) -> None:
        super().__init__("s3://many/raw", Globs("*"), {})
        self.asked = 0
        self.store = MemoryStore()
        for number in range(count):
            obstore.put(self.store, f"{number:06}.csv", b"1")

    def _opened(self) -> Any:
        return self.store

    async def _asked(self, question: Any) -> Any:
        self.asked += 1
        return await super()._asked(question)


def options(bucket: Bucket) -> ObjectOptions:
    return ObjectOptions("raw", bucket, "version", ignore_existing=False, growing=False, every=60.0)


async def committed(rounds: AllKeys | GrowingKeys, book: Book) -> None:
    async for observation in rounds.look():
        book.commit(observation)


@pytest.mark.parametrize("way", [AllKeys, GrowingKeys])
async def test_F54_a_hundred_thousand_objects_fire_once_each_in_bearable_transactions(way: type[AllKeys | GrowingKeys]) -> None:
    bucket, book = InMemory(MANY), Book()
    rounds = way(options(bucket), None, book, outside("raw"))
    for _ in range(2):
        await committed(rounds, book)
    assert len({*book.ids}) == len(book.ids) == MANY
    assert max(len(one.events) for one in book.observations) == PORTION
    assert book.repeated == []


async def test_F54_a_page_is_asked_for_when_the_one_before_is_committed() -> None:
    bucket = InMemory(10 * PORTION)
    looking = AllKeys(options(bucket), None, Book(), outside("raw")).look()
    await anext(looking)
    assert bucket.asked == 2  # the listing itself, and its first page
    await looking.aclose()


async def test_F54_what_is_remembered_between_rounds_is_a_name_per_object() -> None:
    bucket, book = InMemory(MANY // 10), Names()
    rounds = AllKeys(options(bucket), None, book, outside("raw"))
    tracemalloc.start()
    async for observation in rounds.look():
        book.taken.update(event.id for event in observation.events)
    grown, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown / (MANY // 10) < 600  # bytes: the name, and its place in the book's and the sensor's sets
    assert peak / (MANY // 10) < 1500


class Names(Book):
    """A book that keeps names alone."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: Any = set()

    async def all(self) -> Any:
        return {}

    async def of(self, ids: Any) -> frozenset[str]:
        return frozenset(ids) & self.taken
