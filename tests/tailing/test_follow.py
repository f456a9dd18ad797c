from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.tailing.tails import Tail, append, told

if TYPE_CHECKING:
    from pathlib import Path


def test_a_truncated_file_is_read_from_its_start_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\ntwo\n")
    with Tail(path) as tail:
        tail.read()
        os.truncate(path, 0)
        append(path, b"new\n")
        assert tail.read() == b"new\n"
    assert any("truncated" in line for line in told(caplog))


def test_a_file_rewritten_to_the_same_size_is_noticed_by_its_head(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.calm_down()
        path.write_bytes(b"two\n")
        tail.pass_time(6)
        assert tail.text == b"one\ntwo\n"


def test_a_file_rewritten_to_a_greater_size_while_stopped_is_noticed_by_its_head(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.read()
        positions = tail.positions
    path.write_bytes(b"two\nthree\n")
    with Tail(path, positions) as again:
        assert again.read() == b"two\nthree\n"


def test_positions_before_and_after_a_truncation_differ(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    append(path, b"one\n")
    with Tail(path) as tail:
        tail.read()
        before = tail.positions
        os.truncate(path, 0)
        tail.read()
        append(path, b"one\n")
        assert tail.read() == b"one\n"
        assert tail.positions != before
