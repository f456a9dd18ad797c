from __future__ import annotations

from typing import TYPE_CHECKING

from tests.tailing.tails import Tail, age, append, open_files, rotate, told

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_old_files_that_were_read_are_not_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    with Tail(path) as tail:
        for text in (b"one\n", b"two\n", b"three\n"):
            append(path, text)
            tail.pass_time(3)
            rotate(path)
        append(path, b"four\n")
        tail.pass_time(3)
        positions = tail.positions
    for number in (1, 2, 3):
        age(path.with_name(f"a.log.{number}"), 1_000)
    with Tail(path, positions) as again:
        again.clock.advance(1_000)
        again.pass_time(1)
        assert again.text == b""
    with Tail(path, positions) as later:
        append(path.with_name("a.log.2"), b"late\n")
        assert later.pass_time(6) == b"late\n"


def test_a_lineage_of_which_nothing_is_left_is_told_and_the_new_file_is_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.read()
        positions = tail.positions
    path.unlink()
    append(path, b"new\n")
    with Tail(path, positions) as again:
        assert again.pass_time(2) == b"new\n"
    assert any("not found" in line for line in told(caplog))


def test_a_directory_that_is_not_there_keeps_the_positions(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    append(folder / "a.log", b"one\n")
    with Tail(folder / "a.log") as tail:
        tail.read()
        positions = tail.positions
    folder.rename(tmp_path / "away")
    with Tail(folder / "a.log", positions) as waiting:
        assert waiting.pass_time(6) == b""
        assert not waiting.plugin.gone()
        (tmp_path / "away").rename(folder)
        append(folder / "a.log", b"two\n")
        assert waiting.pass_time(6) == b"two\n"
        assert open_files(folder) == {"a.log"}
