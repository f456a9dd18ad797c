from __future__ import annotations

import io
import json
import logging
from typing import TYPE_CHECKING

import pytest

from swak import log
from swak.logform import Limit

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def unconfigured() -> Iterator[None]:
    yield
    log.reset()


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_json_line_has_every_field() -> None:
    stream = io.StringIO()
    log.configure("info", "json", stream)
    log.get("x").bind(plugin="Fluentd").info("up", host="a", broken=b"\xff", level="own")
    (line,) = lines(stream)
    assert line.pop("timestamp")
    assert line == {
        "level": "info",
        "logger": "swak.x",
        "event": "up",
        "plugin": "Fluentd",
        "host": "a",
        "broken": "b'\\xff'",
        "level_": "own",
    }


def test_text_moves_no_cursor_and_stays_on_its_line() -> None:
    stream = io.StringIO()
    log.configure("info", "text", stream)
    log.get("x").info("up\x1b[2J", host="a\nb\x1b]0;title\x07")
    assert stream.getvalue().count("\n") == 1
    assert "\x1b" not in stream.getvalue()


def test_a_traceback_follows_its_line() -> None:
    stream = io.StringIO()
    log.configure("info", "text", stream)
    log.get("x").error("bug", exc_info=ValueError("no\x1b[2J"))
    assert "ValueError: no\\x1b[2J" in stream.getvalue()


def test_other_libraries_come_out_the_same_way_from_warnings_up() -> None:
    stream = io.StringIO()
    log.configure("debug", "json", stream)
    logging.getLogger("pykka").info("chatter")
    logging.getLogger("pykka").warning("lost %s", "it")
    assert [(line["logger"], line["event"]) for line in lines(stream)] == [("pykka", "lost it")]


def test_repeated_warnings_are_counted_instead_of_written() -> None:
    stream = io.StringIO()
    log.configure("info", "json", stream)
    for number in range(100):
        log.get("x").warning("refused", number=number)
    log.flush()
    assert [line.get("number", line.get("held_back")) for line in lines(stream)] == [0, 1, 2, 3, 4, 95]


def test_one_stage_that_repeats_itself_silences_no_other() -> None:
    stream = io.StringIO()
    log.configure("info", "json", stream)
    for _ in range(10):
        log.get("x").bind(stage="a").warning("refused")
    log.get("x").bind(stage="b").warning("refused")
    assert lines(stream)[-1]["stage"] == "b"


def test_lines_that_were_held_back_are_counted_by_the_next_that_passes() -> None:
    limit = Limit(burst=2, window_s=60)
    assert [limit.admit("line", now_s) for now_s in (0, 1, 2, 3, 61)] == [
        (True, 0),
        (True, 0),
        (False, 0),
        (False, 0),
        (True, 2),
    ]


def test_the_limit_remembers_a_bounded_number_of_lines() -> None:
    limit = Limit(burst=0, keys_max=10)
    for number in range(1_000):
        limit.admit(number, 0.0)
    assert len(limit.take()) == 10


def test_a_stream_that_cannot_be_written_harms_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    log.configure("info", "text", stream)
    stream.close()
    log.get("x").warning("unheard")
    assert "I/O operation on closed file" in capsys.readouterr().err
