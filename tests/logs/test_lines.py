from __future__ import annotations

import pytest

from eventflow.logs.lines import Line, clipped, decode, encode


def line(text: str) -> Line:
    return Line(1, "train", 2, "info", "stdout", text)


@pytest.mark.parametrize("text", ["plain", "", "\x1b[31mred\x1b[0m", "tab\tand\r", "\0", "größer 🙂", "\u2028"])
def test_a_line_comes_back_as_it_was_on_one_line(text: str) -> None:
    raw = encode(line(text))
    assert raw.count(b"\n") == 1
    assert raw.endswith(b"\n")
    assert decode(raw) == line(text)


def test_bytes_of_a_name_that_are_no_text_are_written_out() -> None:
    back = decode(encode(line("caf\udce9.csv")))
    assert back is not None
    assert back.text == "caf\\udce9.csv"


@pytest.mark.parametrize("raw", [b"", b"{", b'{"at": 1}', b"\xff\xfe", b"null", b'[1, "x"]'])
def test_what_a_crash_has_left_is_no_line(raw: bytes) -> None:
    assert decode(raw) is None


def test_a_long_text_is_cut_between_characters() -> None:
    assert clipped("x" * 300, 300) == "x" * 300
    assert clipped("x" * 301, 300) == "x" * 300 + " ... 1 characters left out"
    assert clipped("ä" * 300, 301) == "ä" * 150 + " ... 150 characters left out"


def test_what_was_left_out_before_is_counted() -> None:
    assert clipped("x" * 10, 10, beyond=5) == "x" * 10 + " ... 5 characters left out"
