from __future__ import annotations

import threading

import pytest

from eventflow.logs.attempts import Attempts
from eventflow.logs.limits import LogLimits
from eventflow.logs.lines import Attempt, Line, decode

ONE, TWO = Attempt("r", "one", 1), Attempt("r", "two", 1)


class Kept:
    def __init__(self, limits: LogLimits | None = None) -> None:
        self.lines: list[Line] = []
        self.bytes = 0
        self.attempts = Attempts(self._take, lambda: 7, limits or LogLimits())

    def _take(self, attempt: Attempt, raw: bytes) -> None:
        line = decode(raw)
        assert line is not None
        assert (line.node, line.attempt) == (attempt.node, attempt.attempt)
        self.lines.append(line)
        self.bytes += len(raw)

    @property
    def texts(self) -> list[str]:
        return [line.text for line in self.lines]


def test_a_stream_gives_a_line_once_it_is_ended() -> None:
    kept = Kept()
    kept.attempts.stream(ONE, "stdout", "a")
    assert kept.texts == []
    kept.attempts.stream(ONE, "stdout", "b\nc\n\nd")
    assert kept.texts == ["ab", "c", ""]
    kept.attempts.end(ONE)
    assert kept.texts == ["ab", "c", "", "d"]
    assert kept.lines[0] == Line(7, "one", 1, "info", "stdout", "ab")


def test_streams_and_attempts_do_not_mix() -> None:
    kept = Kept()
    kept.attempts.stream(ONE, "stdout", "a")
    kept.attempts.stream(ONE, "stderr", "b")
    kept.attempts.stream(TWO, "stdout", "c")
    kept.attempts.stream(ONE, "stdout", "d\n")
    kept.attempts.stream(ONE, "stderr", "e\n")
    kept.attempts.stream(TWO, "stdout", "f\n")
    assert [(line.node, line.source, line.text) for line in kept.lines] == [
        ("one", "stdout", "ad"),
        ("one", "stderr", "be"),
        ("two", "stdout", "cf"),
    ]


def test_a_message_of_several_lines_is_several_lines() -> None:
    kept = Kept()
    kept.attempts.say(ONE, "error", "shop.orders", "first\nsecond")
    assert [(line.level, line.source, line.text) for line in kept.lines] == [
        ("error", "shop.orders", "first"),
        ("error", "shop.orders", "second"),
    ]


@pytest.mark.parametrize("pieces", [["x" * 1000 + "\n"], ["x" * 999, "x\n"], ["x"] * 1000 + ["\n"]])
def test_a_line_that_is_too_long_is_cut_however_it_is_written(pieces: list[str]) -> None:
    kept = Kept(LogLimits(line_bytes=256))
    for piece in pieces:
        kept.attempts.stream(ONE, "stdout", piece)
    assert kept.texts == ["x" * 256 + " ... 744 characters left out"]


def test_an_attempt_that_writes_too_much_is_cut_with_one_word_about_it() -> None:
    kept = Kept(LogLimits(attempt_bytes=2000))
    for number in range(1000):
        kept.attempts.say(ONE, "info", "x", f"line {number}")
    assert kept.bytes < 2400
    assert kept.lines[-1].source == "eventflow"
    assert kept.lines[-1].level == "warning"
    assert "2000 bytes" in kept.texts[-1]
    assert kept.texts[:-1] == [f"line {number}" for number in range(len(kept.lines) - 1)]
    kept.attempts.say(TWO, "info", "x", "another attempt has room of its own")
    assert kept.lines[-1].node == "two"


def test_ending_all_gives_what_was_not_ended() -> None:
    kept = Kept()
    kept.attempts.stream(ONE, "stdout", "a")
    kept.attempts.stream(TWO, "stdout", "b")
    kept.attempts.end_all()
    kept.attempts.end_all()
    assert sorted(kept.texts) == ["a", "b"]


def test_threads_write_whole_lines() -> None:
    kept = Kept()

    def write(number: int) -> None:
        for _ in range(200):
            kept.attempts.say(Attempt("r", f"n{number}", 1), "info", "x", f"text of {number}")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kept.lines) == 1600
    assert all(line.text == f"text of {line.node[1:]}" for line in kept.lines)
