from __future__ import annotations

import codecs
import gzip
import json
import os
import socket
from typing import TYPE_CHECKING, Any

import pytest

from swak.event import BLOCK_BYTES, EVENTS_MAX, Block, Dicts
from swak.formats.lines import json_lines
from swak.options import Size
from swak.plugins.inputs.file_tailing import FileTailing
from tests.tailing.tails import Tail, append, rotate, told

if TYPE_CHECKING:
    from pathlib import Path

BOM = {"utf-16": codecs.BOM_UTF16_LE, "utf-8-sig": codecs.BOM_UTF8}
PLAIN = {"utf-16": "utf-16-le", "utf-8-sig": "utf-8"}
SAMPLES = {
    "utf-8": ("é한𝄞", b"\xff"),
    "cp949": ("한글똠", b"\xff"),
    "euc-kr": ("한글말", b"\xff"),
    "shift_jis": ("日本ｶ", b"\xff"),
    "utf-16": ("é한𝄞", b"\x00\xdc"),
}
"""For each encoding, characters of all its widths, and bytes that are one bad sequence."""
TORN = {
    "utf-8": b"\xe2\x82",
    "cp949": b"\xb0",
    "euc-kr": b"\xb0",
    "shift_jis": b"\x81",
    "utf-16": b"\x34\xd8",
}
"""The beginning of a character, one bad sequence where the line ends after it."""
EVENTS = {"start": r"^\d"}


def encoded(text: str, encoding: str) -> bytes:
    """Return text without a byte order mark."""
    return text.encode(PLAIN.get(encoding, encoding))


def filler(size_bytes: int, encoding: str) -> list[str]:
    """Return lines of so many encoded bytes, their ends included."""
    width = len(encoded("x", encoding))
    lines = ["filler " * 10] * (size_bytes // (200 * width))
    left = size_bytes // width - sum(len(line) + 1 for line in lines)
    return [*lines, "x" * (left - 1)]


def written(path: Path, encoding: str, *lines: str | bytes) -> int:
    """Write whole lines, with a byte order mark where the encoding has one; return the size of the file."""
    end = encoded("\n", encoding)
    raw = [line if isinstance(line, bytes) else encoded(line, encoding) for line in lines]
    path.write_bytes(BOM.get(encoding, b"") + b"".join(line + end for line in raw))
    return path.stat().st_size


def last_offset(tail: Tail) -> int:
    """Return the offset of the only source that was read."""
    (position,) = tail.positions.values()
    offset: int = position["offset"]
    return offset


def shifts(encoding: str, around: int) -> range:
    """Return every way to lay `around` bytes across the end of a block."""
    width = len(encoded("x", encoding))
    return range(2 * width, around + 6 * width, width)


@pytest.mark.parametrize("encoding", SAMPLES)
def test_characters_and_bad_bytes_anywhere_around_the_end_of_a_block_come_through(
    tmp_path: Path, encoding: str
) -> None:
    text, bad = SAMPLES[encoding]
    special = encoded(text, encoding) + bad + encoded(text, encoding) + TORN[encoding]
    wanted = f"{text}\ufffd{text}\ufffd"
    for shift in shifts(encoding, len(special)):
        before = filler(BLOCK_BYTES - shift - len(BOM.get(encoding, b"")), encoding)
        size = written(tmp_path / "a.log", encoding, *before, special, special, "after")
        with Tail(tmp_path / "a.log", encoding=encoding) as tail:
            tail.read()
            assert tail.messages == [*before, wanted, wanted, "after"], shift
            assert tail.plugin.shortfalls.bad_sequences == 4
            assert last_offset(tail) == size


@pytest.mark.parametrize("encoding", SAMPLES)
def test_a_line_longer_than_a_block_keeps_every_character_at_the_end_of_the_block(
    tmp_path: Path, encoding: str
) -> None:
    text, bad = SAMPLES[encoding]
    width = len(encoded("x", encoding))
    special = encoded(text, encoding) + bad + encoded(text, encoding)
    for shift in shifts(encoding, len(special)):
        head = "y" * ((BLOCK_BYTES - shift) // width)
        size = written(tmp_path / "a.log", encoding, encoded(head, encoding) + special, "after")
        with Tail(tmp_path / "a.log", encoding=encoding) as tail:
            tail.read()
            assert tail.messages == [f"{head}{text}\ufffd{text}", "after"], shift
            assert tail.plugin.shortfalls.bad_sequences == 1
            assert last_offset(tail) == size


@pytest.mark.parametrize("encoding", SAMPLES)
@pytest.mark.parametrize("fields", [[], ["offset"]])
def test_a_long_line_is_cut_only_where_a_character_ends(tmp_path: Path, encoding: str, fields: list[str]) -> None:
    text = SAMPLES[encoding][0]
    width = len(encoded("x", encoding))
    special = text * 3
    for beyond in (0, BLOCK_BYTES):  # in a block, and longer than one
        for shift in range(0, len(encoded(special, encoding)) + width, width):
            limit = 1_000 + shift + beyond
            head = "y" * ((1_000 + beyond) // width)
            size = written(tmp_path / "a.log", encoding, "before", f"{head}{special}{'z' * 99}", "after")
            with Tail(tmp_path / "a.log", encoding=encoding, max_line=limit, fields=fields) as tail:
                tail.read()
                before, cut, after = tail.messages
                assert (before, after) == ("before", "after")
                assert f"{head}{special}{'z' * 99}".startswith(cut)
                assert limit - 4 < len(encoded(cut, encoding)) <= limit
                shortfalls = tail.plugin.shortfalls
                assert (shortfalls.lines_cut, shortfalls.bad_sequences) == (1, 0)
                assert shortfalls.bytes_cut == len(encoded(f"{head}{special}{'z' * 99}", encoding)) - len(
                    encoded(cut, encoding)
                )
                assert last_offset(tail) == size


@pytest.mark.parametrize("encoding", SAMPLES)
def test_a_file_that_grows_by_single_bytes_is_decoded_right(tmp_path: Path, encoding: str) -> None:
    text, bad = SAMPLES[encoding]
    path = tmp_path / "a.log"
    whole = BOM.get(encoding, b"") + encoded(f"{text}\r\n", encoding) + bad + encoded(f"\n{text}\n", encoding)
    path.touch()
    with Tail(path, encoding=encoding) as tail:
        for at in range(len(whole)):
            append(path, whole[at : at + 1])
            tail.read()
        assert tail.messages == [text, "\ufffd", text]
        assert last_offset(tail) == len(whole)


@pytest.mark.parametrize("encoding", SAMPLES)
def test_every_position_of_a_file_leads_to_the_same_rest(tmp_path: Path, encoding: str) -> None:
    text = SAMPLES[encoding][0]
    path = tmp_path / "a.log"
    path.touch()
    with Tail(path, encoding=encoding) as tail:
        for number in range(4):
            line = encoded(f"{number}{text}\n", encoding)
            append(path, (BOM.get(encoding, b"") if number == 0 else b"") + line)
            tail.read()
        steps = [step for step in tail.steps[1:] if next(iter(step.values()))["offset"]]
    assert len(steps) == 4
    for done, step in enumerate(steps, 1):
        with Tail(path, step, encoding=encoding) as again:
            again.read()
            assert again.messages == [f"{number}{text}" for number in range(done, 4)]


def test_a_byte_order_mark_is_skipped_and_names_the_encoding(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(codecs.BOM_UTF16_BE + "한글\nx\n".encode("utf-16-be"))
    (tmp_path / "b.log").write_bytes(codecs.BOM_UTF8 + b"plain\n")
    with Tail(tmp_path / "*.log", encoding="cp949") as tail:
        tail.read()
        assert sorted(tail.messages) == ["plain", "x", "한글"]


def test_bad_bytes_are_told_once_and_stand_in_the_receipt(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    append(tmp_path / "a.log", b"\xff\n" * 10)
    with Tail(tmp_path / "a.log", encoding="euc-kr") as tail:
        tail.read()
        append(tmp_path / "a.log", b"\xff\n")
        tail.read()
        assert tail.plugin.notes() == "11 byte sequences were no characters of the encoding"
    assert len([line for line in told(caplog) if "no characters" in line]) == 1


@pytest.mark.parametrize("encoding", SAMPLES)
def test_the_bytes_of_bad_lines_and_only_those_are_kept_raw(tmp_path: Path, encoding: str) -> None:
    text, bad = SAMPLES[encoding]
    raw = encoded(text, encoding) + bad
    torn = encoded("t", encoding) + TORN[encoding]
    written(tmp_path / "a.log", encoding, "good", raw, text, torn, "good\r")
    with Tail(tmp_path / "a.log", encoding=encoding, raw="raw") as tail:
        tail.read()
        assert tail.records == [
            {"message": "good"},
            {"message": f"{text}\ufffd", "raw": raw},
            {"message": text},
            {"message": "t\ufffd", "raw": torn},
            {"message": "good"},
        ]
        assert tail.plugin.shortfalls.bad_sequences == 2


def test_good_lines_stay_blocks_though_raw_bytes_are_wanted(tmp_path: Path) -> None:
    append(tmp_path / "a.log", "한글\n".encode("cp949"))
    with Tail(tmp_path / "a.log", encoding="cp949", raw="raw") as tail:
        assert tail.read() == "한글\n".encode()


@pytest.mark.parametrize("encoding", SAMPLES)
def test_raw_bytes_are_found_anywhere_around_the_end_of_a_block(tmp_path: Path, encoding: str) -> None:
    bad = SAMPLES[encoding][1]
    line = encoded("ab", encoding) + bad
    for shift in shifts(encoding, len(line)):
        before = filler(BLOCK_BYTES - shift - len(BOM.get(encoding, b"")), encoding)
        written(tmp_path / "a.log", encoding, *before, line, line, "after")
        with Tail(tmp_path / "a.log", encoding=encoding, raw="raw") as tail:
            tail.read()
            assert tail.messages == [*before, "ab\ufffd", "ab\ufffd", "after"]
            assert [record["raw"] for record in tail.records if "raw" in record] == [line, line]


def test_records_with_raw_bytes_are_bounded_as_all_records_are(tmp_path: Path) -> None:
    append(tmp_path / "a.log", b"\xff\n" * 5_000)
    with Tail(tmp_path / "a.log", raw="raw") as tail:
        tail.read()
        assert [body.count for _, body in tail.bodies] == [EVENTS_MAX] * 5
        assert tail.plugin.shortfalls.bad_sequences == 5_000


@pytest.mark.parametrize("beyond", [0, BLOCK_BYTES])
def test_a_bad_line_that_is_cut_is_counted_once_and_keeps_its_cut_bytes_raw(tmp_path: Path, beyond: int) -> None:
    line = b"\xff" + b"y" * (1_000 + beyond)
    append(tmp_path / "a.log", line + b"\n")
    with Tail(tmp_path / "a.log", raw="raw", max_line=100) as tail:
        tail.read()
        assert tail.records == [{"message": "\ufffd" + "y" * 99, "raw": line[:100]}]
        assert (tail.plugin.shortfalls.lines_cut, tail.plugin.shortfalls.bytes_cut) == (1, len(line) - 100)


def test_a_record_with_raw_bytes_can_be_written_as_json(tmp_path: Path) -> None:
    append(tmp_path / "a.log", b"caf\xe9\n")
    with Tail(tmp_path / "a.log", raw="raw") as tail:
        tail.read()
        ((_, body),) = tail.bodies
    assert json.loads(json_lines(body)) == {"message": "caf\ufffd", "raw": "Y2Fm6Q=="}


def test_fields_say_where_a_line_was(tmp_path: Path) -> None:
    append(tmp_path / "a.log", b"one\ntwo\n")
    with Tail(tmp_path / "a.log", fields=["path", "offset", "host"]) as tail:
        tail.read()
        where = {"path": str(tmp_path / "a.log"), "host": socket.gethostname()}
        assert tail.records == [{"message": "one", "offset": 0, **where}, {"message": "two", "offset": 4, **where}]
        assert isinstance(tail.bodies[0][1], Dicts)


@pytest.mark.parametrize("encoding", [*SAMPLES, "utf-8-sig", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_an_offset_is_that_of_the_first_byte_of_its_line(tmp_path: Path, encoding: str, end: str) -> None:
    lines = ["", "한글", "y" * 300_000, "short", "", "y" * 500, "日本語", *["z" * 98] * 8_000, "last"]
    whole = end.join([*lines, ""]).encode(encoding.replace("utf-8-sig", "utf-8"), "replace")
    path = tmp_path / "a.log"
    path.write_bytes((codecs.BOM_UTF8 if encoding == "utf-8-sig" else b"") + whole)
    with Tail(path, encoding=encoding, fields=["offset"], max_line=400) as tail:
        tail.read()
        records = tail.records
    assert len(records) == len(lines)
    plain = {"utf-16": "utf-16-le", "utf-32": "utf-32-le"}.get(encoding, encoding)
    with path.open("rb") as file:
        for line, record in zip(lines, records, strict=True):
            file.seek(record["offset"])
            wanted = (line + end).encode(plain.replace("-sig", ""), "replace")
            assert file.read(len(wanted)) == wanted
            assert wanted.decode(plain.replace("-sig", "")).startswith(record["message"])


def test_offsets_of_a_compressed_file_count_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "a.log.gz").write_bytes(gzip.compress(b"one\ntwo\n"))
    with Tail(tmp_path / "*", fields=["offset"], compressed=True) as tail:
        tail.read()
        assert [(record["message"], record["offset"]) for record in tail.records] == [("one", 0), ("two", 4)]


def test_offsets_go_on_after_a_restart_and_begin_anew_after_a_truncation(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path, fields=["offset"]) as tail:
        tail.read()
        positions = tail.positions
    append(path, b"two\n")
    with Tail(path, positions, fields=["offset"]) as again:
        again.read()
        os.truncate(path, 0)
        append(path, b"new\n")
        again.pass_time(2)
        assert [record["offset"] for record in again.records] == [4, 0]


def test_a_half_line_at_the_end_has_its_offset(tmp_path: Path) -> None:
    append(tmp_path / "a.log", b"one\nhalf")
    with Tail(tmp_path / "a.log", follow=False, fields=["offset"]) as tail:
        tail.read()
        assert tail.records == [{"message": "one", "offset": 0}, {"message": "half", "offset": 4}]


# ---- events of several lines


@pytest.mark.parametrize(
    ("rule", "lines", "events"),
    [
        (r"^\d", ["1 a", " b", "2 c", "3 d"], ["1 a\n b", "2 c"]),
        ({"start": "^S"}, ["lost?", "S", "x", "S"], ["lost?", "S\nx"]),
        ({"continue": r"^\s"}, ["a", " b", "c", "d"], ["a\n b", "c"]),
        ({"end": ";$"}, ["a", "b;", "c;", "d"], ["a\nb;", "c;"]),
        ({"start": "^B", "end": "^E"}, ["B", "x", "E", "y", "B", "E"], ["B\nx\nE", "y", "B\nE"]),
    ],
)
def test_patterns_make_events_of_lines(tmp_path: Path, rule: Any, lines: list[str], events: list[str]) -> None:
    append(tmp_path / "a.log", "".join(f"{line}\n" for line in lines).encode())
    with Tail(tmp_path / "a.log", multiline=rule) as tail:
        tail.read()
        assert tail.messages == events


def test_carriage_returns_at_the_ends_of_lines_are_no_part_of_an_event(tmp_path: Path) -> None:
    append(tmp_path / "a.log", b"1 a\r\n b\r\n2\r\n")
    with Tail(tmp_path / "a.log", multiline=EVENTS) as tail:
        tail.read()
        assert tail.messages == ["1 a\n b"]


def test_an_event_that_gets_no_more_lines_comes_after_its_timeout(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"1 a\n b\n")
    with Tail(path, multiline={**EVENTS, "timeout": "3s"}) as tail:
        tail.pass_time(2.5)
        assert tail.messages == []
        tail.pass_time(1)
        assert tail.messages == ["1 a\n b"]
        assert last_offset(tail) == path.stat().st_size


def test_each_line_gives_its_event_more_time(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"1 a\n")
    with Tail(path, multiline={**EVENTS, "timeout": "2s"}) as tail:
        for _ in range(5):
            tail.pass_time(1.5)
            append(path, b" b\n")
        tail.read()
        assert tail.messages == []
        tail.pass_time(3)
        assert tail.messages == ["1 a" + "\n b" * 5]


def test_lines_after_a_timeout_are_an_event_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"1 a\n")
    with Tail(path, multiline=EVENTS) as tail:
        tail.pass_time(2)
        append(path, b" late\n")
        tail.pass_time(2)
        assert tail.messages == ["1 a", " late"]


def test_a_half_line_waits_though_its_event_timed_out(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"1 a\n hal")
    with Tail(path, multiline=EVENTS) as tail:
        tail.pass_time(3)
        assert tail.messages == ["1 a"]
        append(path, b"f\n2\n")
        tail.pass_time(3)
        assert tail.messages == ["1 a", " half", "2"]


def test_an_event_at_the_end_of_a_rotated_file_comes_before_the_new_file(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"1 a\n b\n")
    with Tail(path, multiline={**EVENTS, "timeout": "1h"}) as tail:
        tail.read()
        rotate(path)
        append(path, b" c\n2 d\n")
        tail.pass_time(5)
        assert tail.messages == ["1 a\n b", " c"]


def test_at_the_end_of_input_an_open_event_comes(tmp_path: Path) -> None:
    append(tmp_path / "a.log", b"1 a\n b\n2 c\n half")
    with Tail(tmp_path / "a.log", multiline=EVENTS, follow=False) as tail:
        tail.read()
        assert tail.messages == ["1 a\n b", "2 c\n half"]
        assert tail.ended


def test_when_reading_stops_open_events_of_all_files_come(tmp_path: Path) -> None:
    append(tmp_path / "a.log", b"1 a\n b\n")
    append(tmp_path / "b.log", b"1 c\n d\n half")
    with Tail(tmp_path / "*.log", multiline=EVENTS) as tail:
        tail.read()
        assert tail.messages == []
        tail.rest()
        assert sorted(tail.messages) == ["1 a\n b", "1 c\n d"]
        positions = tail.positions
    append(tmp_path / "b.log", b"\n2\n3\n")
    with Tail(tmp_path / "*.log", positions, multiline=EVENTS) as again:
        again.read()
        assert again.messages == [" half", "2"]


def test_when_reading_stops_nothing_of_events_without_lines_comes(tmp_path: Path) -> None:
    append(tmp_path / "a.log", b"half")
    with Tail(tmp_path / "a.log", multiline=EVENTS) as tail:
        tail.read()
        tail.rest()
        assert tail.messages == []


def test_a_single_run_leaves_nothing_of_an_open_event_to_nobody(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"1 a\n b\n2 c\n d\n")
    with Tail(path, multiline=EVENTS, once=True) as tail:
        tail.read()
        tail.rest()
        assert tail.messages == ["1 a\n b", "2 c\n d"]


def test_lines_of_two_files_never_make_one_event(tmp_path: Path) -> None:
    names = "ab"
    with Tail([str(tmp_path / f"{name}.log") for name in names], multiline=EVENTS) as tail:
        for number in range(20):
            for name in names:
                append(tmp_path / f"{name}.log", f"{number} {name}\n".encode())
                tail.read()
            for name in names:
                append(tmp_path / f"{name}.log", f" more {name}\n".encode())
                tail.read()
        tail.pass_time(2)
        assert sorted(tail.messages) == sorted(
            f"{number} {name}\n more {name}" for number in range(20) for name in names
        )


def test_a_restart_in_the_middle_of_an_event_repeats_and_splits_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    text = "".join(f"{number}\n a\n b\n" for number in range(4))
    for cut in range(len(text) + 1):
        path.unlink(missing_ok=True)
        append(path, text[:cut].encode())
        with Tail(path, multiline=EVENTS) as tail:
            tail.read()
            before, positions = tail.messages, tail.positions
        append(path, text[cut:].encode())
        with Tail(path, positions, multiline=EVENTS, follow=False) as again:
            again.read()
            assert before + again.messages == [f"{number}\n a\n b" for number in range(4)], cut


def test_an_event_larger_than_its_bound_is_split_counted_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    append(tmp_path / "a.log", b"1\n" + b" 34567\n" * 10 + b"2\n3\n")
    with Tail(tmp_path / "a.log", multiline={**EVENTS, "max_bytes": 23}) as tail:
        tail.read()
        assert tail.messages == ["1" + "\n 34567" * 3, *["\n".join([" 34567"] * 3)] * 2, " 34567", "2"]
        assert tail.plugin.shortfalls.events_split == 3
        assert "3 events" in tail.plugin.notes()
    assert len([line for line in told(caplog) if "split" in line]) == 1


@pytest.mark.parametrize("max_bytes", ["4KiB", "256KiB", "1MiB"])
def test_an_endless_event_is_split_and_lost_nowhere(tmp_path: Path, max_bytes: str) -> None:
    lines = [f" {number:08d}" for number in range(300_000)]
    append(tmp_path / "a.log", "".join(f"{line}\n" for line in lines).encode())
    with Tail(tmp_path / "a.log", multiline={**EVENTS, "max_bytes": max_bytes}, follow=False) as tail:
        tail.read()
        assert "\n".join(tail.messages).split("\n") == lines
        assert max(map(len, tail.messages)) < Size(max_bytes)


def test_no_body_has_more_events_than_fit(tmp_path: Path) -> None:
    append(tmp_path / "a.log", b"".join(b"%d\n x\n" % number for number in range(3_500)))
    with Tail(tmp_path / "a.log", multiline=EVENTS, follow=False) as tail:
        tail.read()
        assert tail.messages == [f"{number}\n x" for number in range(3_500)]
        assert [body.count for _, body in tail.bodies] == [1_000, 1_000, 1_000, 499, 1]


def test_fields_without_events_of_several_lines_are_bounded_too(tmp_path: Path) -> None:
    append(tmp_path / "a.log", b"x\n" * 2_500)
    with Tail(tmp_path / "a.log", fields=["offset"]) as tail:
        tail.read()
        assert [record["offset"] for record in tail.records] == list(range(0, 5_000, 2))
        assert [body.count for _, body in tail.bodies] == [1_000, 1_000, 500]


@pytest.mark.parametrize("size", [500, BLOCK_BYTES - 10, BLOCK_BYTES + 10, 2 * BLOCK_BYTES + 10, 5 * BLOCK_BYTES])
@pytest.mark.parametrize("max_line", [100, "2MiB"])
def test_a_long_line_in_an_event_is_cut_and_takes_no_other_along(tmp_path: Path, size: int, max_line: Any) -> None:
    path = tmp_path / "a.log"
    append(path, b"1\n a\n" + b" " + b"y" * size + b"\n b\n2\n")
    with Tail(path, multiline=EVENTS, max_line=max_line, follow=False, fields=["offset"]) as tail:
        tail.read()
        line = " " + "y" * (min(size, 99 if max_line == 100 else size))
        assert "\n".join(tail.messages).split("\n") == ["1", " a", line, " b", "2"]
        assert tail.plugin.shortfalls.lines_cut == (max_line == 100)
        raw = path.read_bytes()
        for record in tail.records:
            assert raw[record["offset"] :].startswith(record["message"][:50].encode())


def test_a_long_line_that_is_still_written_does_not_hold_up_its_event_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"1\n a\n" + b"y" * 700_000)
    with Tail(path, multiline=EVENTS) as tail:
        tail.pass_time(3)
        assert tail.messages == ["1\n a"]
        append(path, b"\n2\n3\n")
        tail.pass_time(3)
        assert tail.messages == ["1\n a", "y" * 700_000, "2", "3"]


def test_an_event_keeps_the_path_and_the_offset_of_its_first_line_and_all_its_raw_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"0\n1\n \xff\n b\n2\n")
    with Tail(path, multiline=EVENTS, fields=["path", "offset"], raw="raw") as tail:
        tail.read()
        assert tail.records == [
            {"message": "0", "path": str(path), "offset": 0},
            {"message": "1\n \ufffd\n b", "path": str(path), "offset": 2, "raw": b"1\n \xff\n b"},
        ]


def test_events_of_an_encoding_are_matched_as_text(tmp_path: Path) -> None:
    written(tmp_path / "a.log", "cp949", "시작 1", "계속", "시작 2")
    with Tail(tmp_path / "a.log", multiline="^시작", encoding="cp949") as tail:
        tail.read()
        assert tail.messages == ["시작 1\n계속"]


def test_without_any_shape_lines_stay_a_block_of_bytes(tmp_path: Path) -> None:
    append(tmp_path / "a.log", b"\xff one\n")
    with Tail(tmp_path / "a.log") as tail:
        assert tail.read() == b"\xff one\n"
        assert isinstance(tail.bodies[0][1], Block)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"encoding": "utf8x"}, "there is no encoding 'utf8x'"),
        ({"encoding": "rot13"}, "no encoding of text"),
        ({"multiline": {"strat": "x"}}, "did you mean"),
        ({"multiline": "("}, "not a regular expression"),
        ({"multiline": {}}, "at least one of the patterns"),
        ({"fields": ["ofset"]}, 'there is no field "ofset"'),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], problem: str) -> None:
    found = FileTailing("a.log", **options).check()
    assert any(problem in f"{what}; {mend}" for what, mend in found), found
    assert len(found) == 1
