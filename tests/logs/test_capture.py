# ruff: noqa: T201 - printing is what this is about

from __future__ import annotations

import io
import logging
import sys
import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import structlog

from eventflow import current, pipeline, task
from eventflow.context import Context
from eventflow.embed import memory_engine
from eventflow.logs.capture import Capture
from eventflow.logs.folder import LogFolder
from eventflow.system import SystemClock


@pytest.fixture(autouse=True)
def plain_structlog() -> Iterator[None]:
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


@asynccontextmanager
async def captured(folder: Path) -> AsyncGenerator[LogFolder]:
    async with LogFolder(folder, SystemClock()) as logs:
        with Capture(logs):
            yield logs


async def spoken(folder: Path, body) -> list[tuple[str, str, str]]:
    """Run a body as a task, with its words captured, and give them: level, source and text."""

    @task
    def plain() -> None:
        body()

    @pipeline(name="speech")
    def speech() -> None:
        plain()

    async with captured(folder) as logs, memory_engine([speech], instruments=[logs]) as engine:
        run = await engine.submit(speech.bind())
        await run.result()
    return [(line.level, line.source, line.text) for line in (await LogFolder(folder, SystemClock()).read(run.id)).lines]


async def test_print_goes_into_the_log_of_its_attempt(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def body() -> None:
        print("out", 1)
        print("err", file=sys.stderr)
        sys.stdout.writelines(["a\n", "b"])

    assert await spoken(tmp_path, body) == [
        ("info", "stdout", "out 1"),
        ("info", "stderr", "err"),
        ("info", "stdout", "a"),
        ("info", "stdout", "b"),
    ]
    assert capsys.readouterr() == ("", "")


async def test_coroutines_and_threads_at_once_each_have_their_own_log(tmp_path: Path) -> None:
    barrier = threading.Barrier(4)

    @task
    def in_thread(number: int) -> int:
        barrier.wait()
        print(f"thread {number}")
        return number

    @task
    async def in_loop(number: int) -> int:
        print(f"loop {number} of {current().node}")
        return number

    @pipeline
    def many() -> list[int]:
        return [in_loop(in_thread(number)) for number in range(4)]

    async with captured(tmp_path) as logs, memory_engine([many], instruments=[logs]) as engine:
        run = await engine.submit(many.bind())
        assert await run.result() == [0, 1, 2, 3]
    lines = (await LogFolder(tmp_path, SystemClock()).read(run.id)).lines
    by_node: dict[str, list[str]] = {}
    for line in lines:
        by_node.setdefault(line.node, []).append(line.text)
    assert sorted(by_node) == sorted(f"in_{kind}{suffix}" for kind in ("thread", "loop") for suffix in ("", "_2", "_3", "_4"))
    assert sorted(text for texts in by_node.values() for text in texts if "thread" in text) == [f"thread {number}" for number in range(4)]
    assert all(len(texts) == 1 for texts in by_node.values())
    assert all(texts[0].endswith(f"of {node}") for node, texts in by_node.items() if node.startswith("in_loop"))


async def test_what_is_said_outside_passes_untouched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    async with captured(tmp_path):
        print("out")
        print("err", file=sys.stderr)
        logging.getLogger("outside").warning("logged")
        structlog.get_logger().info("structured", a=1)
        assert sys.stdout.encoding.lower() == "utf-8"
        sys.stdout.flush()
    out, err = capsys.readouterr()
    assert out.startswith("out\n")
    assert "structured" in out
    assert err.startswith("err\n")
    assert [record.message for record in caplog.records] == ["logged"]
    assert list(tmp_path.iterdir()) == []


async def test_logging_goes_into_the_log_with_level_and_name(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    def body() -> None:
        log = logging.getLogger("shop.orders")
        log.debug("too low")
        log.info("number %d", 3)
        log.error("two\nlines")
        try:
            fail()
        except ValueError:
            log.exception("it failed")
        log.warning("%d", "no number")

    said = await spoken(tmp_path, body)
    assert said[:4] == [
        ("info", "shop.orders", "number 3"),
        ("error", "shop.orders", "two"),
        ("error", "shop.orders", "lines"),
        ("error", "shop.orders", "it failed"),
    ]
    assert said[4][2].startswith("Traceback")
    assert ("error", "shop.orders", "ValueError: broken") in said
    assert said[-1][2].startswith("'%d' (it can't be shown: TypeError")
    assert caplog.records == []


async def test_structlog_goes_into_the_log_with_its_values(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    early = structlog.get_logger().bind(shop="a b")

    def body() -> None:
        early.info("sold", count=3, to="someone")
        with structlog.contextvars.bound_contextvars(order=7):
            structlog.get_logger().bind(logger="orders").warning("late")
        try:
            fail()
        except ValueError:
            early.exception("it failed")
        early.info("unshowable", value=Unshowable())

    said = await spoken(tmp_path, body)
    assert said[:3] == [
        ("info", "structlog", "sold shop='a b' count=3 to=someone"),
        ("warning", "orders", "late order=7"),
        ("error", "structlog", "it failed shop='a b'"),
    ]
    assert ("error", "structlog", "ValueError: broken") in said
    assert said[-1] == ("info", "structlog", "'unshowable' (its values can't be shown: RuntimeError)")
    assert capsys.readouterr() == ("", "")


def fail() -> None:
    raise ValueError("broken")


class Unshowable:
    def __repr__(self) -> str:
        raise RuntimeError("no")


async def test_structlog_is_caught_however_the_project_has_set_it_up(tmp_path: Path) -> None:
    out = io.StringIO()
    structlog.configure(
        processors=[structlog.processors.JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=True,
    )
    log = structlog.get_logger()
    log.info("cached before")

    def body() -> None:
        log.info("inside")

    assert await spoken(tmp_path, body) == [("info", "structlog", "inside")]
    log.info("after")
    assert out.getvalue() == '{"event": "cached before"}\n{"event": "after"}\n'


async def test_a_log_is_no_terminal(tmp_path: Path) -> None:
    def body() -> None:
        print(sys.stdout.isatty())

    assert await spoken(tmp_path, body) == [("info", "stdout", "False")]


async def test_control_characters_are_kept_as_they_are(tmp_path: Path) -> None:
    def body() -> None:
        print("\x1b[31mred\x1b[0m\r")

    assert await spoken(tmp_path, body) == [("info", "stdout", "\x1b[31mred\x1b[0m\r")]


async def test_writing_what_is_no_text_fails_as_it_always_does(tmp_path: Path) -> None:
    def body() -> None:
        with pytest.raises(TypeError, match="must be str"):
            sys.stdout.write(3)  # pyright: ignore[reportArgumentType]

    assert await spoken(tmp_path, body) == []


async def test_all_is_as_it_was_afterwards(tmp_path: Path) -> None:
    processors = list(structlog.get_config()["processors"])
    before = (sys.stdout, sys.stderr, logging.Logger.callHandlers)
    async with captured(tmp_path):
        assert sys.stdout is not before[0]
        assert logging.Logger.callHandlers is not before[2]
    assert (sys.stdout, sys.stderr, logging.Logger.callHandlers) == before
    assert structlog.get_config()["processors"] == processors


async def test_what_somebody_else_has_put_in_place_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = io.StringIO()
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    async with captured(tmp_path):
        sys.stdout = other
    assert sys.stdout is other


async def test_a_stream_kept_beyond_its_time_passes_everything_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with captured(tmp_path):
        kept = sys.stdout
    context = Context("0" * 32, "p", "n", 1, None, None)  # pyright: ignore[reportArgumentType]
    from eventflow.context import running

    token = running.set(context)
    kept.write("late\n")
    running.reset(token)
    assert capsys.readouterr().out == "late\n"
