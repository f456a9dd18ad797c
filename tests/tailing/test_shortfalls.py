from __future__ import annotations

import pytest

from swak.tailing.shortfalls import TELL_NS, Shortfalls
from tests.tailing.tails import told


def test_nothing_short_is_nothing_said() -> None:
    assert Shortfalls().text() == ""


def test_everything_that_fell_short_is_said() -> None:
    shortfalls = Shortfalls()
    shortfalls.note_cut(5, "a.log", 10, 0)
    shortfalls.note_cut(7, "a.log", 10, 0)
    shortfalls.note_bad(3, "a.log", "cp949", 0)
    shortfalls.note_split(2, "a.log", 100, 0)
    shortfalls.note_dropped(1_000, "a.log", "the file was truncated")
    shortfalls.restarts += 1
    assert shortfalls.text() == (
        "2 lines were longer than max_line: 12 bytes left out; "
        "3 byte sequences were no characters of the encoding; "
        "2 events were longer than max_bytes and were split; "
        "1000 bytes were truncated or deleted before they were read; "
        "1 times a file was opened again because reading it stood still"
    )


@pytest.mark.parametrize("kind", ["cut", "bad", "split"])
def test_each_kind_is_told_now_and_then_with_its_number_so_far(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    shortfalls = Shortfalls()
    for now_ns in (0, 1, TELL_NS - 1, TELL_NS, TELL_NS + 1):
        if kind == "cut":
            shortfalls.note_cut(5, "a.log", 10, now_ns)
        elif kind == "bad":
            shortfalls.note_bad(1, "a.log", "cp949", now_ns)
        else:
            shortfalls.note_split(1, "a.log", 10, now_ns)
    first, second = told(caplog)
    assert "=1" in first
    assert "=4" in second


def test_one_kind_does_not_silence_another(caplog: pytest.LogCaptureFixture) -> None:
    shortfalls = Shortfalls()
    shortfalls.note_cut(5, "a.log", 10, 0)
    shortfalls.note_bad(1, "a.log", "cp949", 0)
    assert len(told(caplog)) == 2


def test_every_loss_is_told(caplog: pytest.LogCaptureFixture) -> None:
    shortfalls = Shortfalls()
    for _ in range(3):
        shortfalls.note_dropped(10, "a.log", "the file was truncated")
    assert len(told(caplog)) == 3
    assert "bytes=10 bytes_dropped=30" in told(caplog)[-1]
    assert shortfalls.bytes_dropped == 30
