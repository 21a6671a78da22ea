from __future__ import annotations

import contextlib
import io
import json
import threading
from typing import Any

import pytest
import structlog

from eventflow import facts
from eventflow.errors import SensorError
from eventflow.facts import Fact, Failure, Inline, Record
from eventflow.logs import daemon
from eventflow.logs.daemon import DaemonLog
from eventflow.system import SystemClock

AT = 1_700_000_000_000_000


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


async def lines(*happened: Fact) -> list[dict[str, Any]]:
    stream = io.StringIO()
    async with DaemonLog(stream, SystemClock()) as log:
        log.committed([Record(seq, AT, fact) for seq, fact in enumerate(happened, 1)])
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("fact", "told"),
    [
        (facts.RunSubmitted("r", "etl", "g", b"{}", trigger="drop"), {"event": "run submitted", "pipeline": "etl", "trigger": "drop"}),
        (facts.RunStarted("r"), {"event": "run started"}),
        (facts.RunSucceeded("r", Inline(b"1")), {"event": "run succeeded"}),
        (facts.RunFailed("r", Failure("E", "no"), "n"), {"event": "run failed", "level": "error", "node": "n", "error": "E: no"}),
        (facts.RunCancelled("r", "a newer run"), {"event": "run cancelled", "level": "info", "reason": "a newer run"}),
        (facts.RunSuspended("r", 2, 5), {"event": "run suspended", "level": "info", "waiting": 2}),
        (facts.RunWoken("r"), {"event": "run woken"}),
        (facts.RunPaused("r"), {"event": "run paused"}),
        (facts.RunUnpaused("r"), {"event": "run unpaused"}),
        (
            facts.PipelinePaused("etl", "3 failed"),
            {"event": "pipeline paused", "level": "warning", "pipeline": "etl", "reason": "3 failed"},
        ),
        (facts.PipelineUnpaused("etl"), {"event": "pipeline unpaused", "level": "info", "pipeline": "etl"}),
        (
            facts.NodeFailed("r", "n", "deadline", Failure("E", "no")),
            {"event": "node failed", "level": "warning", "node": "n", "reason": "deadline", "error": "E: no"},
        ),
        (
            facts.NodeFellBack("r", "n", Inline(b"1"), Failure("E", "m")),
            {"event": "node fell back", "level": "warning", "node": "n", "error": "E: m"},
        ),
        (facts.RunHeld("r", "code"), {"event": "run held", "level": "warning", "reason": "code"}),
        (
            facts.AttemptFailed("r", "n", 2, 0, "error", Failure("E", "no")),
            {"event": "attempt failed", "level": "warning", "node": "n", "attempt": 2, "error": "E: no"},
        ),
        (facts.AttemptLost("r", "n", 1, 0, "crash", 1), {"event": "attempt lost", "level": "warning", "reason": "crash"}),
        (facts.DecisionMade("e", "drop", "fired", run="r"), {"event": "event fired", "level": "info", "event_id": "e", "trigger": "drop"}),
        (facts.DecisionMade("e", "drop", "refused", reason="bad"), {"event": "event refused", "level": "warning", "reason": "bad"}),
        (facts.SensorChanged("inbox", "degraded", "gone"), {"event": "sensor degraded", "level": "warning", "reason": "gone"}),
        (facts.SensorChanged("inbox", "healthy"), {"event": "sensor healthy", "level": "info", "sensor": "inbox"}),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, dict) else value["event"].replace(" ", "-"),
)
async def test_each_important_fact_is_one_line(fact: Fact, told: dict[str, Any]) -> None:
    (line,) = await lines(fact)
    assert {**line, **told} == line
    assert line["at"] == "2023-11-14T22:13:20.000+00:00"
    assert None not in line.values()


async def test_the_journals_own_business_is_not_told() -> None:
    told_before = facts.NodeFailed("r", "n", "failed")
    assert await lines(facts.AttemptStarted("r", "n", 1), facts.CursorMoved("inbox", b"1"), told_before) == []


async def test_a_trouble_is_told_with_the_line_to_blame() -> None:
    stream = io.StringIO()
    async with DaemonLog(stream, SystemClock()) as log:
        try:
            fail()
        except ValueError as error:
            log.troubled("sensor inbox", error)
        log.troubled("watcher", Untold())
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (first["event"], first["where"], first["error"]) == ("trouble", "sensor inbox", "ValueError: broken")
    assert first["line"].startswith(__file__)
    assert second["error"].endswith("Untold: (its message can't be shown: RuntimeError)")


async def test_what_nobody_foresaw_is_told_with_its_traceback_and_without_credentials() -> None:
    stream, terminal = io.StringIO(), Terminal()
    async with DaemonLog(stream, SystemClock()) as log, DaemonLog(terminal, SystemClock()) as shown:
        for error in (caught(ValueError("https://ada:canary@shop.example is \x1b]52;c;eA==\x07")), caught(SensorError("no shop"))):
            log.troubled("sensor inbox", error)
            shown.troubled("sensor inbox", error)
    foreign, ours = (json.loads(line) for line in stream.getvalue().splitlines())
    assert foreign["exception"].startswith("Traceback (most recent call last):\n")
    assert "in caught\n" in foreign["exception"]
    assert "exception" not in ours
    assert "canary" not in stream.getvalue() + terminal.getvalue()
    assert "\x1b]" not in terminal.getvalue()
    assert "Traceback (most recent call last):\n" in terminal.getvalue()


def caught(error: Exception) -> Exception:
    """Give an exception as it is once it was raised: with a traceback."""
    with contextlib.suppress(Exception):
        raise error
    return error


def fail() -> None:
    raise ValueError("broken")


class Untold(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")


async def test_a_terminal_gets_lines_for_people_and_no_orders() -> None:
    stream = Terminal()
    async with DaemonLog(stream, SystemClock()) as log:
        log.committed([Record(1, AT, facts.DecisionMade("e", "drop", "refused", reason="bad\x1b]52;c;eA==\x07\nfake line"))])
    assert stream.getvalue().count("\n") == 1
    assert "\x1b]" not in stream.getvalue()
    assert "\\x1b]52" in stream.getvalue()
    assert "event refused" in stream.getvalue()


async def test_what_the_project_sets_up_in_structlog_does_not_change_it() -> None:
    structlog.configure(processors=[lambda *_: {}["nothing"]])
    try:
        (line,) = await lines(facts.RunStarted("r"))
    finally:
        structlog.reset_defaults()
    assert line["event"] == "run started"


async def test_a_reader_that_stands_still_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "MOST_WAITING", 10)
    gate = threading.Event()

    class Stuck(io.StringIO):
        def write(self, text: str) -> int:
            gate.wait()
            return super().write(text)

    stream = Stuck()
    async with DaemonLog(stream, SystemClock()) as log:
        for _ in range(1000):
            log.say("info", "word")
        gate.set()
    assert 1 <= stream.getvalue().count("\n") <= 30


async def test_a_reader_that_has_gone_is_no_reason_to_stop() -> None:
    class Gone(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    async with DaemonLog(Gone(), SystemClock()) as log:
        log.say("info", "word")
