"""Which batches reach a model, and what the others are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from examples.digits import batch
from pipelines import batches
from pipelines.batches import COLUMNS, BadBatch, Digits

GOOD = [*["3"] * 64, "7"]


def csv(*rows: list[str], header: list[str] | None = None) -> bytes:
    return "".join(",".join(row) + "\n" for row in [list(COLUMNS) if header is None else header, *rows]).encode()


def checked(content: bytes) -> Digits:
    return batches.check(batches.parse(content, "a.csv"))


def refusal(content: bytes) -> str:
    with pytest.raises(BadBatch) as caught:
        checked(content)
    return str(caught.value)


def test_real_digits_are_accepted_whole() -> None:
    digits = checked(batch(0, 50).encode())
    assert len(digits) == 50
    assert {len(picture) for picture in digits.pixels} == {64}
    assert set(digits.labels) <= set(range(10))


def test_what_is_written_is_read_again_the_same() -> None:
    digits = checked(batch(0, 50).encode())
    assert checked(batches.written(digits)) == digits


def test_columns_are_found_by_name_in_any_order_and_others_are_passed_over() -> None:
    header = ["who", "label", *reversed(COLUMNS[:-1])]
    digits = checked(csv(["me", "4", *(str(n % 17) for n in range(64))], header=header))
    assert digits.labels == [4]
    assert digits.pixels[0][:2] == [63 % 17, 62 % 17]


def test_a_byte_order_mark_and_empty_lines_do_no_harm() -> None:
    content = b"\xef\xbb\xbf" + csv(GOOD).replace(b"\n", b"\r\n") + b"\r\n,,\r\n"
    assert checked(content).labels == [7]


def test_missing_columns_are_named() -> None:
    content = csv(GOOD[:-2], header=[*COLUMNS[:5], *COLUMNS[6:64]])
    assert "lacks the columns pixel_05, label" in refusal(content)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\x00\x01\x02"])
def test_a_file_that_is_no_batch_lacks_its_columns(content: bytes) -> None:
    assert "and 57 more" in refusal(content)


def test_a_header_alone_is_refused() -> None:
    assert "no rows" in refusal(csv())


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("NaN", "pixel_03 is NaN"),
        ("", "pixel_03 is '', not a number"),
        ("dark", "pixel_03 is 'dark', not a number"),
        ("inf", "pixel_03 is inf, not within 0 to 16"),
        ("-1", "pixel_03 is -1, not within 0 to 16"),
        ("16.5", "pixel_03 is 16.5, not within 0 to 16"),
        ("\x1b[31m", "pixel_03 is '\\x1b[31m', not a number"),
    ],
)
def test_a_bad_pixel_is_named_with_its_line(cell: str, said: str) -> None:
    bad = [*GOOD[:3], cell, *GOOD[4:]]
    assert refusal(csv(GOOD, bad)) == f"a.csv: 1 of 2 rows are bad\n  line 3: {said}"


@pytest.mark.parametrize("label", ["10", "-1", "", "x", "3.0", "٣", "NaN"])
def test_a_bad_label_is_named_with_its_line(label: str) -> None:
    said = refusal(csv([*GOOD[:-1], label], GOOD))
    assert said == f"a.csv: 1 of 2 rows are bad\n  line 2: label is {label!r}, not a digit from 0 to 9"


def test_a_row_of_another_width_is_named() -> None:
    assert "line 3: it has 64 cells where the header has 65" in refusal(csv(GOOD, GOOD[1:]))


def test_lines_are_those_of_the_file_even_after_a_cell_with_a_line_break() -> None:
    header = [*COLUMNS, "note"]
    assert "line 4: label is 'x'" in refusal(csv([*GOOD, '"two\nlines"'], [*GOOD[:-1], "x", ""], header=header))


def test_many_bad_rows_are_counted_and_the_first_are_shown() -> None:
    lines = refusal(csv(*[[*GOOD[:-1], "x"]] * 30)).splitlines()
    assert lines[0] == "a.csv: 30 of 30 rows are bad"
    assert lines[-1].strip() == "and 22 more"
    assert len(lines) == 10


def test_bytes_that_are_no_text_are_refused_as_cells() -> None:
    assert "line 2: pixel_00 is '\ufffd', not a number" in refusal(csv(GOOD).replace(b"\n3,", b"\n\xff,", 1))


def test_a_cell_without_end_is_refused_as_no_csv() -> None:
    assert "a.csv is no CSV file" in refusal(csv(GOOD) + b'"' + b"x" * 200_000)


def test_a_name_is_shown_with_its_escapes(tmp_path: Path) -> None:
    path = tmp_path / "a\x1b[31m\n.csv"
    path.write_bytes(csv())
    assert batches.read(path).name == r"a\x1b[31m\n.csv"


def test_a_file_beyond_all_bounds_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.csv"
    with path.open("wb") as file:
        file.truncate(batches.LARGEST + 1)
    with pytest.raises(BadBatch, match="larger than 64 MiB"):
        batches.read(path)


def test_a_picture_is_always_on_the_same_side() -> None:
    first, second = checked(batch(0, 200).encode()), checked(batch(200, 400).encode())
    alone, tested = first.divided()
    joined, joined_tested = first.joined(second).divided()
    assert joined.pixels[: len(alone)] == alone.pixels
    assert joined_tested.pixels[: len(tested)] == tested.pixels
    assert 0.15 < len(tested) / len(first) < 0.35


def test_joining_takes_each_picture_once() -> None:
    digits = checked(batch(0, 60).encode())
    assert digits.joined(digits) == digits
