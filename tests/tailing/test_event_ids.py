"""The ids of events that a tailed file gives: the same for the same event, whatever happened to the file meanwhile."""

from __future__ import annotations

import gzip
import os
import re
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests.tailing.tails import Tail, append, rotate

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

EVENTS = {"start": r"^\d"}


def ids(tail: Tail) -> dict[str, str]:
    """Return the id of each event, by its text."""
    return {record["message"]: record["id"] for record in tail.records}


def ids_of(path: Path, positions: Mapping[str, Any] | None = None, *, seconds: float = 0, **options: Any) -> list[str]:
    """Read a file by itself and return the ids of its events."""
    with Tail(path, positions, fields=["id"], **options) as tail:
        tail.read()
        tail.pass_time(seconds)
        return [record["id"] for record in tail.records]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.log"


def test_an_id_names_the_generation_the_first_byte_and_the_text(path: Path) -> None:
    append(path, b"one\ntwo\n")
    first, second = ids_of(path)
    assert re.fullmatch(r"[0-9a-f]{16}-0-[0-9a-f]{8}", first)
    assert re.fullmatch(r"[0-9a-f]{16}-4-[0-9a-f]{8}", second)
    assert first[:16] == second[:16]


def test_what_is_read_again_has_the_ids_that_it_had(path: Path) -> None:
    append(path, b"one\ntwo\n")
    with Tail(path, fields=["id"]) as tail:
        tail.read()
        first, positions = list(ids(tail).values()), tail.steps[0]
    assert ids_of(path, positions) == first


def test_a_rename_changes_no_id(path: Path) -> None:
    append(path, b"one\ntwo\n")
    before = ids_of(path)
    with Tail(path, fields=["id"]) as tail:
        tail.read()
        append(path, b"three\n")
        rotate(path)
        append(path, b"new\n")
        tail.pass_time(3)
        assert list(ids(tail)) == ["one", "two", "three", "new"]
        assert list(ids(tail).values())[:2] == before
        assert ids(tail)["three"][:16] == before[0][:16] != ids(tail)["new"][:16]
    assert ids_of(path.with_name("a.log.1"))[:2] == before


def test_lines_of_two_files_have_different_ids(tmp_path: Path) -> None:
    for name in ("a.log", "b.log"):
        append(tmp_path / name, b"one\ntwo\n")
    with Tail([str(tmp_path / "a.log"), str(tmp_path / "b.log")], fields=["id"]) as tail:
        tail.read()
        assert len({record["id"] for record in tail.records}) == 4


def test_what_comes_after_a_truncation_has_ids_of_its_own(path: Path) -> None:
    append(path, b"one\n")
    with Tail(path, fields=["id"]) as tail:
        tail.read()
        for _ in range(2):
            os.truncate(path, 0)
            tail.pass_time(1)
            append(path, b"one\n")
            tail.pass_time(1)
        assert len({record["id"] for record in tail.records}) == 3


def copied(path: Path, suffix: str) -> Path:
    """Make a copy of the file as a rotation does."""
    copy = path.with_name(f"a.log.1{suffix}")
    if suffix:
        copy.write_bytes(gzip.compress(path.read_bytes()))
    else:
        shutil.copyfile(path, copy)
    return copy


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_copy_that_is_read_on_gives_the_ids_that_the_original_would_have_given(path: Path, suffix: str) -> None:
    append(path, b"one\n")
    with Tail(path, fields=["id"]) as tail:
        tail.read()
        positions = tail.positions
    append(path, b"two\nthree\n")
    wanted = ids_of(path, positions)
    copied(path, suffix)
    os.truncate(path, 0)
    append(path, b"new\ntwo\n")
    for _ in range(2):  # also when it is killed before anything of the copy is settled
        with Tail(path, positions, fields=["id"]) as again:
            again.pass_time(3)
            assert [record["message"] for record in again.records] == ["two", "three", "new", "two"]
            assert [record["id"] for record in again.records][:2] == wanted
            assert len({record["id"] for record in again.records}) == 4


def test_a_file_that_was_compressed_while_stopped_gives_the_same_ids(path: Path) -> None:
    append(path, b"one\n")
    with Tail(path, fields=["id"]) as tail:
        tail.read()
        positions = tail.positions
    append(path, b"two\n")
    wanted = ids_of(path, positions)
    copied(path, ".gz")
    path.unlink()
    assert ids_of(path, positions, seconds=3) == wanted


def test_a_copy_that_begins_anew_is_no_copy_any_more(path: Path) -> None:
    append(path, b"one\n")
    with Tail(path, fields=["id"]) as tail:
        tail.read()
        append(path, b"two\n")
        copy = copied(path, "")
        os.truncate(path, 0)
        tail.pass_time(3)
        wanted = ids(tail)["two"]
        positions = tail.positions
    append(copy, b"three\n")
    with Tail(path.with_name("a.log*"), positions, fields=["id"]) as again:
        again.read()
        copy.write_bytes(b"new\ntwo\nthree\n")
        again.pass_time(3)
        assert [record["message"] for record in again.records][-3:] == ["new", "two", "three"]
        assert wanted not in {record["id"] for record in again.records}


def test_the_events_of_several_lines_have_the_same_ids_however_they_were_cut_into_reads(path: Path) -> None:
    text = b"1 a\n b\n2 c\n d\n3 e\n"
    append(path, text)
    whole = ids_of(path, multiline=EVENTS, follow=False)
    assert len(whole) == 3
    path.write_bytes(b"")  # the same file
    with Tail(path, fields=["id"], multiline=EVENTS) as tail:
        for at in range(len(text)):
            append(path, text[at : at + 1])
            tail.read()
        tail.pass_time(3)
        assert [record["id"] for record in tail.records] == whole


def test_an_event_that_was_handed_out_before_it_was_complete_has_another_id(path: Path) -> None:
    append(path, b"1 a\n")
    with Tail(path, fields=["id"], multiline=EVENTS) as tail:
        tail.pass_time(3)
        early = ids(tail)["1 a"]
    append(path, b" b\n2\n")
    assert early not in ids_of(path, multiline=EVENTS, follow=False)


def test_a_half_line_has_another_id_than_the_whole_one_and_the_same_when_only_its_end_was_missing(path: Path) -> None:
    append(path, b"one\ntwo")
    half = ids_of(path, follow=False)
    append(path, b"\n")
    assert ids_of(path, follow=False) == half
    path.write_bytes(b"one\ntwofold\n")
    assert ids_of(path, follow=False)[1] != half[1]


def test_header_lines_that_come_once_more_have_no_id(path: Path) -> None:
    append(path, b"#Fields: a\none\n")
    options: dict[str, Any] = {"fields": ["id", "offset"], "header": ["#Fields:"]}
    with Tail(path, **options) as tail:
        tail.read()
        assert len({record["id"] for record in tail.records}) == 2
        positions = tail.positions
    append(path, b"two\n")
    with Tail(path, positions, **options) as again:
        again.read()
        header, line = again.records
        assert ("id" in header, "id" in line) == (False, True)
