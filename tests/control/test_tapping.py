from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from swak import in_, out, task
from swak.control.client import ControlError
from swak.control.tapping import BODIES_MAX, line_of, shown_line_of
from tests.control.served import served
from tests.flows.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from swak.control.client import Connection


def tap(connection: Connection, **given: Any) -> Iterator[dict[str, Any]]:
    """Begin a tap; return what it shows from then on."""
    lines = connection.stream("tap", within_s=20, **given)
    assert "tapping" in next(lines)
    return lines


def numbers(lines: Iterator[dict[str, Any]]) -> list[int]:
    return [told["event"]["record"]["n"] for told in lines if "event" in told]


@pytest.mark.parametrize("stage", ["Drop", "Null", "t/Null", None])
def test_a_filter_shows_what_it_hands_on_and_an_output_what_it_is_given(tmp_path: Path, stage: str | None) -> None:
    source = in_.Memory(follow=True)
    with served(tmp_path, task(source, out.Drop("n < 2"), out.Null(), name="t")) as one, one.connect() as connection:
        lines = tap(connection, stage=stage, limit=2)
        source.feed(*({"n": number} for number in range(4)))
        assert numbers(lines) == [2, 3]
        source.end()


def test_only_what_is_asked_for_is_shown(tmp_path: Path) -> None:
    source = in_.Memory(follow=True)
    with served(tmp_path, task(source, out.Null())) as one, one.connect() as connection:
        lines = tap(connection, stage="Memory", where="n >= 100", sample=10, limit=3)
        source.feed(*({"n": number} for number in range(130)))
        assert numbers(lines) == [100, 110, 120]
        source.end()


def test_what_passes_too_fast_is_counted_and_told(tmp_path: Path) -> None:
    source = in_.Memory(follow=True)
    with served(tmp_path, task(source, out.Null(), name="t")) as one, one.connect() as connection:
        lines = tap(connection, stage="Null")
        count = 1_000 * BODIES_MAX * 3
        source.feed(*({"n": number} for number in range(count)))
        shown = dropped = 0
        while shown + dropped < count:
            told = next(lines)
            shown += "event" in told
            dropped = told.get("dropped", dropped)
        assert shown + dropped == count
        assert dropped
        source.end()


def test_nobody_taps_any_more_when_the_client_has_gone(tmp_path: Path) -> None:
    source = in_.Memory(follow=True)
    with served(tmp_path, task(source, out.Null(), name="t")) as one:
        with one.connect() as connection:
            tap(connection, stage="Null")
            assert [bool(post.mailbox.taps) for post in one.run.crew.posts] == [False, True]
        until(lambda: not any(post.mailbox.taps for post in one.run.crew.posts), "the tap is off")
        source.end()


def test_a_condition_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    source = in_.Memory(follow=True)
    with served(tmp_path, task(source, out.Null())) as one, one.connect() as connection:
        with pytest.raises(ControlError, match="where: it cannot be read"):
            connection.ask("tap", stage="Null", where="n >=")
        source.end()


def test_a_tap_ends_with_the_run(tmp_path: Path) -> None:
    source = in_.Memory(follow=True)
    with served(tmp_path, task(source, out.Null())) as one, one.connect() as connection:
        lines = tap(connection, stage="Null")
        source.end()
        one.run.wait(20)
        one.server.close()
        assert list(lines)[-1]["ok"]


@pytest.mark.parametrize(
    ("time_ns", "moment"), [(1_795_306_038_333_816_051, "00:07:18"), (-(10**30), "--:--:--"), (10**40, "--:--:--")]
)
def test_who_looks_sees_the_time_the_tag_and_the_record(time_ns: int, moment: str) -> None:
    line = shown_line_of({"tag": "web\x1b[2J", "time_ns": time_ns, "record": {"n": 1}})
    assert line == moment + r""" 'web\x1b[2J' {"n": 1}"""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain 한", "plain 한"), ("\x1b[2J", r"\u001b[2J"), ("a\nb\t", r"a\nb\t"), ("\x7f", r"\u007f"),
        ("\x9b2J", r"\u009b2J"), ("\u202e", r"\u202e"), ("\ud800", r"\ud800"), ("\\", r"\\"),
    ],
)  # fmt: skip
def test_the_line_of_an_event_does_nothing_to_a_terminal_and_means_the_same(text: str, shown: str) -> None:
    line = line_of({"record": {"text": text}})
    assert line == f'{{"record": {{"text": "{shown}"}}}}'
    assert line.isprintable()
    assert json.loads(line)["record"]["text"] == text
