"""The object sensor, against moto's S3 and against a folder."""

from __future__ import annotations

import asyncio
import pickle
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eventflow import DefinitionError, ObjectSensor, Secret, Trigger, open_engine, pipeline, task
from eventflow.definition.waits import data_of
from eventflow.errors import EventflowError, SensorError, SourceUnreachable
from eventflow.sensors.objects import ObjectVersion
from eventflow.testing import VirtualClock
from eventflow.triggers import mistakes_in
from tests.sensors.objects.stores import SECRET, Store, answering, listing
from tests.sensors.outside import Book, Crashed, outside, watch


def enough(count: int) -> Callable[[Book], bool]:
    return lambda book: len(book.events) >= count


def quiet(book: Book) -> bool:
    """Tell whether a round has ended: the last thing that it yields is a heartbeat."""
    last = book.observations[-1]
    return not (last.events or last.forget or last.keep or last.known)


async def look(sensor: ObjectSensor, book: Book | None = None, enough: Callable[[Book], bool] = quiet) -> Book:
    """Start a sensor and let it have one round."""
    noted = book or Book()
    await watch(sensor, noted, outside(sensor.name), enough)
    return noted


def keys(book: Book) -> list[str]:
    return [event.data.key for event in book.events]


# What fires


async def test_each_object_under_the_prefix_fires_once(store: Store) -> None:
    for key in ("raw/b.csv", "raw/deep/er/a.csv", "rawest/c.csv", "d.csv"):
        store.put(key)
    sensor = store.sensor("/raw")
    book = await look(sensor)
    assert keys(book) == ["raw/b.csv", "raw/deep/er/a.csv"]
    await look(sensor, book)
    assert (len(book.events), book.repeated) == (2, [])


async def test_what_an_event_carries(store: Store) -> None:
    store.put("raw/über uns#1?.csv", b"12345")
    book = await look(store.sensor("/raw/"))
    (event,) = book.events
    assert event.data == ObjectVersion(
        key="raw/über uns#1?.csv",
        url=f"s3://{store.bucket}/raw/über uns#1?.csv",
        size=5,
        modified=event.time,
        etag='"827ccb0eea8a706c4c34a16891f84e7b"',
    )
    assert (event.type, event.subject) == ("object", event.data.url)
    assert event.id.isascii()
    assert event.id.isprintable()


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ("*", ["a.csv", "a.txt", "x/b.csv", "x/y/c.csv"]),
        ("*.csv", ["a.csv", "x/b.csv", "x/y/c.csv"]),
        (["a*", "x/*.csv"], ["a.csv", "a.txt", "x/b.csv"]),
        ("x/**/c.*", ["x/y/c.csv"]),
    ],
)
async def test_patterns_are_about_what_follows_on_the_prefix(store: Store, match: Any, expected: list[str]) -> None:
    for key in ("a.csv", "a.txt", "x/b.csv", "x/y/c.csv", ".hidden.csv"):
        store.put(f"raw/{key}")
    assert keys(await look(store.sensor("/raw", match=match))) == [f"raw/{key}" for key in expected]


async def test_the_mark_of_the_watched_folder_is_no_object(store: Store) -> None:
    store.put_as_written("raw/", b"")
    store.put("raw/a.csv")
    assert keys(await look(store.sensor("/raw"))) == ["raw/a.csv"]


async def test_an_overwritten_object_is_a_new_version(store: Store) -> None:
    sensor = store.sensor()
    store.put("a.csv", b"one")
    book = await look(sensor)
    store.put("a.csv", b"other")
    await look(sensor, book)
    assert [(event.data.key, event.data.size) for event in book.events] == [("a.csv", 3), ("a.csv", 5)]
    assert [gone is not None for gone in book.taken.values()] == [True, False]  # the old version is gone


async def test_by_content_the_same_bytes_again_are_no_event() -> None:
    async with answering(200, listing("a.csv one 2026-01-01T00:00:00.000Z")) as s3:
        store = Store(s3.endpoint, "bucket")
        by_content, by_version = store.sensor(identity="content"), store.sensor()
        contents, versions = await look(by_content), await look(by_version)
        s3.body = listing("a.csv one 2026-01-01T00:00:01.000Z")
        await look(by_content, contents)
        await look(by_version, versions)
        assert (len(contents.events), len(versions.events)) == (1, 2)
        s3.body = listing("a.csv two 2026-01-01T00:00:01.000Z")
        await look(by_content, contents)
        assert len(contents.events) == 2


async def test_by_path_an_object_fires_once_whatever_becomes_of_it(store: Store) -> None:
    sensor = store.sensor(identity="path")
    store.put("a.csv", b"one")
    book = await look(sensor)
    store.put("a.csv", b"other")
    store.put("b.csv")
    await look(sensor, book)
    assert keys(book) == ["a.csv", "b.csv"]


async def test_a_lower_key_that_comes_late_is_found(store: Store) -> None:
    sensor = store.sensor()
    store.put("m.csv")
    book = await look(sensor)
    store.put("a.csv")
    await look(sensor, book)
    assert keys(book) == ["m.csv", "a.csv"]


async def test_a_deleted_object_is_forgotten_and_one_that_comes_back_is_kept(store: Store) -> None:
    sensor = store.sensor(identity="content")
    store.put("a.csv")
    book = await look(sensor)
    store.delete("a.csv")
    await look(sensor, book)
    assert [gone is not None for gone in book.taken.values()] == [True]
    store.put("a.csv")
    await look(sensor, book)
    assert [gone is not None for gone in book.taken.values()] == [False]
    assert len(book.events) == 1


async def test_it_looks_again_after_a_rest(store: Store) -> None:
    sensor, book, clock = store.sensor(every="10m"), Book(), VirtualClock()
    store.put("a.csv")
    async with asyncio.TaskGroup() as tasks:
        looking = tasks.create_task(watch(sensor, book, outside("raw", clock=clock), enough(2)))
        await clock.until_waiting()
        store.put("b.csv")
        await clock.advance(599)
        assert keys(book) == ["a.csv"]
        await clock.advance(1)
        await looking
    assert keys(book) == ["a.csv", "b.csv"]


async def test_what_was_told_is_not_told_in_the_next_round(store: Store) -> None:
    sensor, book, clock = store.sensor(identity="path", every="10m"), Book(), VirtualClock()
    store.put("a.csv")
    store.put("b.csv")
    async with asyncio.TaskGroup() as tasks:
        looking = tasks.create_task(watch(sensor, book, outside("raw", clock=clock), lambda _: False))
        for delete in (None, "a.csv", None):
            await clock.until_waiting()
            if delete:
                store.delete(delete)
            await clock.advance(600)
        await clock.until_waiting()
        looking.cancel()
    told = [(len(one.events), len(one.keep), len(one.forget)) for one in book.observations]
    assert [one for one in told if any(one)] == [(2, 0, 0), (0, 0, 1)]


async def test_with_existing_ignored_only_what_comes_later_fires(store: Store) -> None:
    sensor = store.sensor(existing="ignore")
    for key in "abc":
        store.put(key)
    book = await look(sensor)
    store.put("d")
    await look(sensor, book)
    assert keys(book) == ["d"]


async def test_a_crash_while_existing_objects_are_passed_over_leaves_them_passed_over(store: Store) -> None:
    sensor, book = store.sensor(existing="ignore"), Book()
    for key in "abc":
        store.put(key)
    book.commits_left = 0
    with pytest.raises(Crashed):
        await look(sensor, book)
    book.commits_left = None
    await look(sensor, book)
    assert (book.events, len(book.taken)) == ([], 3)


async def test_another_address_is_another_source_for_what_is_to_be_ignored(store: Store) -> None:
    store.put("one/a")
    store.put("two/b")
    book = await look(store.sensor("/one"))
    await look(store.sensor("/two", existing="ignore"), book)
    assert keys(book) == ["one/a"]


# Many, and crashes


async def test_a_listing_is_taken_page_by_page(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventflow.sensors.objects.bucket.Bucket.pages.__kwdefaults__", {"size": 3})
    names = [f"{number:02}.csv" for number in range(10)]
    for name in names:
        store.put(name)
    book = await look(store.sensor())
    assert keys(book) == names
    assert [len(one.events) for one in book.observations if one.events] == [3, 3, 3, 1]


@pytest.mark.parametrize("order", ["any", "growing"])
@pytest.mark.parametrize("commits", range(6))
async def test_after_a_crash_at_any_commit_each_version_is_there_exactly_once(
    store: Store, commits: int, order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventflow.sensors.objects.bucket.Bucket.pages.__kwdefaults__", {"size": 2})
    sensor, book = store.sensor(order=order), Book()
    for number in range(7):
        store.put(f"{number}.csv")
    book.commits_left = commits
    if commits < 5:
        with pytest.raises(Crashed):
            await look(sensor, book)
    book.commits_left = None
    store.put("7.csv")
    await look(sensor, book)
    assert keys(book) == [f"{number}.csv" for number in range(8)]
    assert book.repeated == []


# Growing keys


async def test_growing_keys_are_listed_from_the_last_one_on(store: Store) -> None:
    sensor = store.sensor("/log", order="growing")
    store.put("log/2026-01-01")
    book = await look(sensor)
    assert book.cursor == {"url": f"s3://{store.bucket}/log", "last": "2026-01-01"}
    for day in ("2026-01-02", "2025-12-31"):
        store.put(f"log/{day}")
    await look(sensor, book)
    assert keys(book) == ["log/2026-01-01", "log/2026-01-02"]  # the late one is what was promised not to be
    assert sensor.in_words(book.cursor) == f"knows what is in s3://{store.bucket}/log up to the key '2026-01-02'"


async def test_growing_keys_that_do_not_match_still_move_the_cursor(store: Store) -> None:
    sensor = store.sensor(order="growing", match="*.csv")
    store.put("1.txt")
    book = await look(sensor)
    assert book.cursor == {"url": f"s3://{store.bucket}", "last": "1.txt"}


async def test_identities_behind_the_last_key_are_given_up(store: Store) -> None:
    store.put("1")
    book = await look(store.sensor(order="growing"))
    assert [gone is not None for gone in book.taken.values()] == [True]


async def test_existing_growing_keys_are_passed_over(store: Store) -> None:
    sensor = store.sensor(order="growing", existing="ignore")
    empty = await look(sensor)
    store.put("1")
    await look(sensor, empty)
    assert keys(empty) == ["1"]
    book = await look(sensor)
    store.put("2")
    await look(sensor, book)
    assert keys(book) == ["2"]


async def test_the_mark_of_a_folder_among_growing_keys_does_no_harm(store: Store) -> None:
    sensor, book = store.sensor(order="growing"), Book()
    store.put("x-1.csv")
    store.put_as_written("x/", b"")  # listed behind the other, but called `x`, which would stand before it
    for _ in range(3):
        await look(sensor, book)
    store.put("x/2.csv")
    await look(sensor, book)
    assert keys(book) == ["x-1.csv", "x", "x/2.csv"]
    assert book.repeated == []


async def test_a_store_without_an_order_can_not_grow() -> None:
    async with answering(200, listing("b one 2026-01-01T00:00:00Z", "a one 2026-01-01T00:00:00Z")) as s3:
        with pytest.raises(SensorError, match="doesn't list its keys in their order: leave out order='growing'"):
            await look(Store(s3.endpoint, "bucket").sensor(order="growing"))


# A folder


async def test_a_folder_can_stand_for_a_bucket(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x/a.csv").write_text("1")
    sensor = ObjectSensor("raw", f"file://{tmp_path}", match="*.csv")
    book = await look(sensor)
    (event,) = book.events
    assert (event.data.key, event.data.url) == ("x/a.csv", f"file://{tmp_path}/x/a.csv")
    (tmp_path / "x/a.csv").write_text("22")
    await look(sensor, book)
    assert [event.data.size for event in book.events] == [1, 2]


async def test_an_object_fires_a_run(tmp_path: Path) -> None:
    sizes: list[tuple[str, int]] = []

    @task
    async def weigh(key: str, size: int) -> None:
        sizes.append((key, size))

    @pipeline
    def weighing(key: str, size: int) -> None:
        weigh(key, size)

    (tmp_path / "bucket").mkdir()
    (tmp_path / "bucket/a.csv").write_text("123")
    sensor = ObjectSensor("raw", f"file://{tmp_path}/bucket")
    trigger = Trigger("weigh-it", on=sensor, run=weighing)
    async with open_engine(tmp_path / "state", pipelines=[weighing], sensors=[sensor], triggers=[trigger]) as engine:
        journal = engine.ports.journal
        while not sizes:
            await journal.changed(journal.seq)
    assert sizes == [("a.csv", 3)]


# Trouble


def wrong(store: Store, **said: str | Secret) -> ObjectSensor:
    return store.sensor(options={**store.options, **said})


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def told(sensor: ObjectSensor) -> str:
    """Give what a sensor and its check say of why they can't look."""
    with pytest.raises(EventflowError) as raised:
        await look(sensor)
    with pytest.raises(EventflowError) as checked:
        await sensor.check(outside(sensor.name))
    assert isinstance(raised.value, SourceUnreachable)
    assert str(checked.value) == str(raised.value)
    return str(raised.value)


async def test_a_missing_bucket_is_told(store: Store) -> None:
    sensor = Store(store.endpoint, "not-there").sensor("/raw")
    assert await told(sensor) == "s3://not-there/raw isn't there: no bucket has this name; make it, or change the address"


async def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    assert "isn't there: make the folder" in await told(ObjectSensor("raw", f"file://{tmp_path}/no"))


async def test_a_store_that_does_not_answer_is_told(store: Store) -> None:
    said = await told(wrong(store, endpoint=f"http://127.0.0.1:{closed_port()}"))
    assert said == f"s3://{store.bucket} doesn't answer: is its address right, and the network there?"


async def test_an_unknown_option_is_told(store: Store) -> None:
    assert "has an option that its kind of store doesn't know" in await told(wrong(store, colour="red"))


async def test_a_key_that_can_not_be_listed_is_told(store: Store) -> None:
    store.put_as_written("raw//a.csv")
    assert "holds a key with an empty part" in await told(store.sensor())


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (403, "<Error><Code>AccessDenied</Code></Error>", "may not be listed with these credentials"),
        (403, "<Error><Code>SignatureDoesNotMatch</Code></Error>", "doesn't accept these credentials"),
        (403, "<Error><Code>InvalidAccessKeyId</Code></Error>", "doesn't accept these credentials"),
        (400, f"<Error><Code>Strange</Code><Message>{SECRET}</Message></Error>", "can't be listed: it answers 400 Bad Request Strange ***"),
    ],
)
async def test_what_a_store_refuses_is_told_in_plain_words(status: int, body: str, said: str) -> None:
    async with answering(status, body) as s3:
        text = await told(Store(s3.endpoint, "bucket").sensor())
    assert said in text
    assert SECRET not in text
    assert "Debug" not in text


async def test_without_the_library_it_is_said_how_to_get_it(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(EventflowError, match=r"pip install 'eventflow\[s3\]'"):
        await store.sensor().check(outside("raw"))


async def test_a_sensor_that_failed_goes_on_as_if_nothing_had_been(store: Store) -> None:
    store.put("a.csv")
    book = await look(store.sensor())
    with pytest.raises(SourceUnreachable):
        await look(wrong(store, endpoint=f"http://127.0.0.1:{closed_port()}"), book)
    store.put("b.csv")
    await look(store.sensor(), book)
    assert keys(book) == ["a.csv", "b.csv"]


async def test_nothing_is_forgotten_by_a_listing_that_breaks_off(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for key in "abcd":
        store.put(key)
    book = await look(store.sensor())
    store.put_as_written("c//bad")
    monkeypatch.setattr("eventflow.sensors.objects.bucket.Bucket.pages.__kwdefaults__", {"size": 1})
    with pytest.raises(SourceUnreachable):
        await look(store.sensor(), book)
    assert [gone for gone in book.taken.values() if gone is not None] == []


async def test_a_content_that_the_store_does_not_tell_is_a_mistake_to_hear_of() -> None:
    async with answering(200, listing("a  2026-01-01T00:00:00Z")) as s3:
        with pytest.raises(SensorError, match="s3://bucket/a has no ETag"):
            await look(Store(s3.endpoint, "bucket").sensor(identity="content"))


async def test_check_takes_no_event_and_is_content_with_an_empty_bucket(store: Store) -> None:
    await store.sensor("/nothing").check(outside("raw"))


# Secrets


async def test_credentials_are_nowhere_to_be_seen(store: Store) -> None:
    sensor = store.sensor()
    store.put("a.csv")
    book = await look(sensor)
    shown = [
        repr(sensor),
        sensor.in_words(book.cursor),
        repr(book.events),
        repr(book.cursor),
        repr(book.observations),
        repr(sensor._options),
    ]
    assert not [text for text in shown if SECRET in text or "an-access-key" in text]
    with pytest.raises(TypeError, match="a secret can't be pickled"):
        pickle.dumps(sensor)


async def test_credentials_may_come_from_the_environment(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_ENDPOINT_URL", store.endpoint)
    store.put("a.csv")
    assert keys(await look(store.sensor(options={"region": "us-east-1"}))) == ["a.csv"]


# What it is


def test_it_says_what_it_is_and_where_it_stands() -> None:
    sensor = ObjectSensor("raw", "s3://bucket/raw/", every="1m")
    assert repr(sensor) == "<ObjectSensor 'raw': s3://bucket/raw>"
    assert (sensor.url, sensor.interval) == ("s3://bucket/raw", 300.0)
    assert sensor.in_words(None) == "has not looked yet"
    assert sensor.in_words({"url": "s3://bucket/raw"}) == "knows what is in s3://bucket/raw"
    assert data_of(sensor) is ObjectVersion
    assert not [*mistakes_in(sensor)]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: ObjectSensor("No Name", "s3://b"), "can't name a sensor"),
        (lambda: ObjectSensor("x", "bucket/raw"), "url='bucket/raw' is no object store: give one such as 's3://bucket/prefix'"),
        (lambda: ObjectSensor("x", "ftp://bucket"), "url='ftp://bucket' is no object store"),
        (lambda: ObjectSensor("x", "s3:///raw"), "url='s3:///raw' is no object store"),
        (lambda: ObjectSensor("x", 5), "url=5 is no text"),
        (lambda: ObjectSensor("x", "s3://key:hidden-word@bucket/raw"), "url='s3://bucket/raw' carries more than a bucket and a prefix"),
        (lambda: ObjectSensor("x", "s3://bucket/raw?token=hidden-word"), "url='s3://bucket/raw' carries more"),
        (lambda: ObjectSensor("x", "key:hidden-word@bucket"), "url='key://***@bucket' is no object store"),
        (lambda: ObjectSensor("x", "s3://b", match=[]), "match=[] matches nothing"),
        (lambda: ObjectSensor("x", "s3://b", identity="etag"), "identity='etag' is unknown: use 'version', 'content' or 'path'"),
        (lambda: ObjectSensor("x", "s3://b", order="up"), "order='up' is unknown"),
        (lambda: ObjectSensor("x", "s3://b", existing="no"), "existing='no' is unknown"),
        (lambda: ObjectSensor("x", "s3://b", every="100ms"), "every='100ms' is too often"),
        (lambda: ObjectSensor("x", "s3://b", options={"region": 5}), "options: 'region' has a int"),
        (lambda: ObjectSensor("x", "file:///tmp", options={"region": "r"}), "options have no meaning for a folder"),
    ],
)
def test_what_cannot_be_meant_is_told_with_its_line(make: Callable[[], object], said: str) -> None:
    with pytest.raises(DefinitionError) as raised:
        make()
    assert said in raised.value.message
    assert "hidden-word" not in str(raised.value)
    assert str(raised.value.where).startswith(f"{__file__}:")
