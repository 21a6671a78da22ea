from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventflow import escapes


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain äöü 漢 🙂", "plain äöü 漢 🙂"),
        ("größer 🙂\tok", "größer 🙂\tok"),
        ("\x1b[31m", r"\x1b[31m"),
        ("\x1b]52;c;eA==\x07 \u202eabc\n", r"\x1b]52;c;eA==\x07 \u202eabc\n"),
        ("a\nb\rc", r"a\nb\rc"),
        ("\x9b2J", r"\x9b2J"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("line\u2028end", r"line\u2028end"),
        ("\udc80", r"\udc80"),
    ],
)
def test_a_line_is_printable_whatever_it_was(text: str, shown: str) -> None:
    assert escapes.line(text) == shown
    assert escapes.line(text).replace("\t", "").isprintable()


def test_a_block_keeps_its_line_ends_and_nothing_else() -> None:
    assert escapes.block("one\n\ttwo\x1b\r\n") == "one\n\ttwo\\x1b\\r\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("data/incoming/a b.csv", "data/incoming/a b.csv"),
        ("übung/日本.csv", "übung/日本.csv"),
        ("two\nlines\r\t", "two\\nlines\\r\\t"),
        ("\x1b[2J\x00\x7f", "\\x1b[2J\\x00\\x7f"),
        (b"\xff\xfe", "\\xff\\xfe"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("back\\slash", "back\\\\slash"),
        (Path("a/b"), "a/b"),
    ],
)
def test_a_path_is_one_printable_line(name: str | bytes | Path, text: str) -> None:
    assert escapes.path(name) == text


@given(st.sets(st.binary(min_size=1), min_size=2, max_size=2))
def test_two_paths_never_give_the_same_text(names: set[bytes]) -> None:
    one, other = map(escapes.path, names)
    assert one != other
    assert (one + other).isprintable()
    assert (one + other).encode()


@given(st.binary())
def test_a_path_is_shown_alike_as_text_and_as_bytes(name: bytes) -> None:
    assert escapes.path(name) == escapes.path(os.fsdecode(name))


@pytest.mark.parametrize("text", ["\x7f\x9b2J", "\u202e\u2028", "\U000e0041", "🙂"])
def test_a_json_document_says_the_same_to_a_parser_and_nothing_to_a_terminal(text: str) -> None:
    document = escapes.json(json.dumps({"text": text}, ensure_ascii=False))
    assert document.isprintable()
    assert json.loads(document) == {"text": text}
