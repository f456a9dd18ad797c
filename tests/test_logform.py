from __future__ import annotations

import io
import json
import logging
import warnings
from typing import TYPE_CHECKING, Literal

import pytest

from swak import log
from swak.logform import SITE_BURST, Handler, Limit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


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
    assert [line.get("number", line.get("suppressed")) for line in lines(stream)] == [*range(10), 90]


def test_one_stage_that_repeats_itself_silences_no_other() -> None:
    stream = io.StringIO()
    log.configure("info", "json", stream)
    for stage in [*["a"] * 11, "b"]:
        log.get("x").bind(stage=stage).warning("refused")
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
    assert [held for _, held in limit.take()] == [*[1] * 10, 990]


def test_a_stream_that_cannot_be_written_harms_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    log.configure("info", "text", stream)
    stream.close()
    log.get("x").warning("unheard")
    assert "I/O operation on closed file" in capsys.readouterr().err


class Clock:
    """Time that a test lets pass, with what was put off."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.waiting: list[tuple[float, Callable[[], None]]] = []

    def __call__(self) -> float:
        return self.now_s

    def later(self, seconds: float, act: Callable[[], None]) -> Callable[[], None]:
        self.waiting.append((self.now_s + seconds, act))
        return self.waiting.clear

    def advance(self, seconds: float) -> None:
        self.now_s += seconds
        due = [act for at_s, act in self.waiting if at_s <= self.now_s]
        self.waiting = [one for one in self.waiting if one[0] > self.now_s]
        for act in due:
            act()


@pytest.fixture
def told() -> Iterator[tuple[logging.Logger, io.StringIO, Clock]]:
    """A logger whose lines go through our handler, with a clock of ours."""
    stream, clock = io.StringIO(), Clock()
    logger = logging.getLogger("swak.limited")
    handler = Handler("json", stream, clock, clock.later)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    yield logger, stream, clock
    logger.removeHandler(handler)
    logger.propagate = True
    logger.setLevel(logging.NOTSET)


def test_suppressed_lines_are_told_once_when_their_window_ends(
    told: tuple[logging.Logger, io.StringIO, Clock],
) -> None:
    logger, stream, clock = told
    for _ in range(1_000):
        logger.info("again")
    clock.advance(59.9)
    assert len(lines(stream)) == 10
    clock.advance(0.1)
    assert [(line["event"], line.get("suppressed")) for line in lines(stream)[10:]] == [("again", 990)]
    clock.advance(600)
    assert len(lines(stream)) == 11
    assert not clock.waiting


def test_a_storm_that_goes_on_has_a_bounded_number_of_lines_a_minute(
    told: tuple[logging.Logger, io.StringIO, Clock],
) -> None:
    logger, stream, clock = told
    for _ in range(600):
        for _ in range(10):
            logger.warning("refused")
        clock.advance(1)
    assert len(lines(stream)) <= 10 * 11
    assert sum(int(str(line.get("suppressed", 1))) for line in lines(stream)) >= 5_900


def test_text_that_varies_is_limited_by_where_it_is_written(told: tuple[logging.Logger, io.StringIO, Clock]) -> None:
    logger, stream, clock = told
    for number in range(1_000):
        logger.warning(f"refused {number}")  # noqa: G004 - what careless code does
    assert len(lines(stream)) == SITE_BURST
    clock.advance(60)
    last = lines(stream)[-1]
    assert (str(last["event"]).startswith("anything from test_logform.py:"), last["suppressed"]) == (True, 900)


def test_what_ends_the_run_is_never_suppressed() -> None:
    stream = io.StringIO()
    log.configure("info", "json", stream)
    for _ in range(50):
        log.get("x").error("output is gone for good", always=True)
    assert len(lines(stream)) == 50


def test_warnings_of_python_go_the_same_way() -> None:
    stream = io.StringIO()
    log.configure("info", "json", stream)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn("old", DeprecationWarning, stacklevel=1)
        logging.captureWarnings(False)
    (line,) = lines(stream)
    assert (line["logger"], "DeprecationWarning: old" in str(line["event"])) == ("py.warnings", True)


def test_a_stack_stands_below_its_line() -> None:
    stream = io.StringIO()
    log.configure("info", "text", stream)
    log.get("x").error("stack", stage="web/File", stack='  File "a"\n    x\x1b[2J')
    assert stream.getvalue().splitlines()[1:] == ['  File "a"', "'    x\\x1b[2J'"]


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_text_that_is_long_is_cut(form: Literal["text", "json"]) -> None:
    stream = io.StringIO()
    log.configure("info", form, stream)
    log.get("x").info("odd" * 5_000, value="v" * 9_000, fine="short")
    assert "(15000 characters)" in stream.getvalue()
    assert "(9000 characters)" in stream.getvalue()
    assert len(stream.getvalue()) < 9_000
