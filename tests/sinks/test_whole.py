from __future__ import annotations

import os
import tempfile
from pathlib import Path

import msgpack  # type: ignore[import-untyped]  # it has no types
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swak.formats.columns import csv_line
from swak.formats.plain import utf8
from swak.sinks import whole
from swak.sinks.append import AppendFile, Manner
from swak.sinks.guard import Guard
from swak.sinks.whole import Framing, framing_of, slices, whole_end

ONE = msgpack.packb({"message": "x" * 50, "list": [1, {"a": None}]})


def end_of(path: Path, data: bytes, framing: Framing = "msgpack") -> int | None:
    path.write_bytes(data)
    fd = os.open(path, os.O_RDONLY)
    try:
        return whole_end(fd, len(data), framing)
    finally:
        os.close(fd)


@pytest.mark.parametrize("cut", [0, 1, 10, len(ONE) - 1])
def test_what_is_whole_ends_before_the_torn_object(tmp_path: Path, cut: int) -> None:
    assert end_of(tmp_path / "f", ONE * 3 + ONE[:cut]) == 3 * len(ONE)


def test_an_object_may_be_longer_than_a_block(tmp_path: Path) -> None:
    long = msgpack.packb({"a": "y" * 700_000})
    assert end_of(tmp_path / "f", ONE + long + ONE[:3]) == len(ONE) + len(long)


def test_nothing_is_cut_where_it_is_no_msgpack(tmp_path: Path) -> None:
    assert end_of(tmp_path / "f", ONE + b"\xc1" + ONE) == 2 * len(ONE) + 1


def test_an_empty_file_is_whole(tmp_path: Path) -> None:
    assert end_of(tmp_path / "f", b"") == 0


def test_a_torn_object_is_moved_aside_when_the_file_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(ONE + ONE[:7])
    guard = Guard()
    sink = AppendFile(str(path), Manner(framing="msgpack"))
    sink.open(guard)
    sink.write(ONE)
    sink.close()
    guard.release()
    assert path.read_bytes() == ONE * 2
    assert (tmp_path / "f.torn").read_bytes() == ONE[:7] + b"\n"


def csv_end(path: Path, data: bytes) -> int | None:
    return end_of(path, data, "csv")


@pytest.mark.parametrize(
    "rest", [b"", b"4", b"4,", b'"', b'4,"b\n', b'"x\ny",z', b'"say ""hi""\n\n', b'"x""', b'"x"', b"\r"]
)
def test_a_torn_row_of_csv_is_found_though_line_ends_stand_in_it(rest: bytes, tmp_path: Path) -> None:
    whole = b'a,b\n1,"x\ny"\n"""",3\n'
    assert csv_end(tmp_path / "f", whole + rest) == len(whole)


@given(st.lists(st.text(), min_size=1, max_size=4), st.data())
def test_a_row_of_csv_is_torn_at_every_place(row: list[str], data: st.DataObject) -> None:
    whole = utf8(csv_line(["first", 'a"\n']))
    line = utf8(csv_line(row))
    cut = data.draw(st.integers(0, len(line) - 1))
    with tempfile.TemporaryDirectory() as folder:
        assert csv_end(Path(folder) / "f", whole + line[:cut]) == len(whole)
        assert csv_end(Path(folder) / "f", whole + line) == len(whole + line)


def test_a_row_may_be_longer_than_a_block(tmp_path: Path) -> None:
    row = b'1,"' + b'x\n""' * 200_000 + b'"\n'
    assert csv_end(tmp_path / "f", row * 2 + row[:-2]) == 2 * len(row)


@pytest.mark.parametrize("theirs", [b'He said "hi\nand more, and "more\nend\n', b'5" pipe\nnext line\n'])
def test_what_is_no_csv_of_ours_is_only_cut_at_a_line_end(theirs: bytes, tmp_path: Path) -> None:
    assert csv_end(tmp_path / "f", theirs) == len(theirs)


@pytest.mark.parametrize("rest", [b"", b"{", b"{\n", b'{\n    "a" => {\n    }\n', b'{\n    "a" => 1\n}'])
def test_a_torn_event_of_rubydebug_is_found(rest: bytes, tmp_path: Path) -> None:
    whole = b'{\n    "a" => {\n        "b" => 1\n    }\n}\n'
    assert end_of(tmp_path / "f", whole * 2 + rest, "rubydebug") == 2 * len(whole)
    assert end_of(tmp_path / "f", b"hello\nwor", "rubydebug") == 6


def test_formats_are_told_apart_by_lines_unless_they_have_others_inside() -> None:
    assert [framing_of(name) for name in ("json", "raw", "tsv", "csv", "msgpack")] == [
        "lines",
        "lines",
        "lines",
        "csv",
        "msgpack",
    ]


@given(st.binary(max_size=60), st.integers(1, 9))
def test_lines_come_backwards_however_the_file_is_cut_into_blocks(data: bytes, block_bytes: int) -> None:
    data = data.replace(b"\x00", b"\n")
    with tempfile.TemporaryFile() as file, pytest.MonkeyPatch.context() as patched:
        patched.setattr(whole, "BLOCK_BYTES", block_bytes)
        file.write(data)
        file.flush()
        assert list(whole.lines_backwards(file.fileno()))[::-1] == data.split(b"\n")


LINES = st.lists(st.binary(max_size=60).map(lambda line: line.replace(b"\n", b"") + b"\n"), max_size=40)


@given(LINES, st.integers(1, 90))
def test_lines_are_cut_at_their_ends_into_writes_of_about_one_size(lines: list[bytes], size_bytes: int) -> None:
    data = b"".join(lines)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("swak.sinks.whole.SLICE_BYTES", size_bytes)
        parts = [bytes(part) for part in slices(data, "lines")]
    assert b"".join(parts) == data
    assert all(part.endswith(b"\n") for part in parts if part)
    assert all(len(part) <= size_bytes or part.count(b"\n") == 1 for part in parts)


def test_what_is_no_lines_is_written_at_once() -> None:
    data = b"x\n" * 200_000
    assert [bytes(part) for part in slices(data, "msgpack")] == [data]
    assert len(list(slices(data, "lines"))) > 1
