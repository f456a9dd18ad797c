from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from swak.picture import COLOURS, number, render, span
from swak.stats import StageView, Tally
from swak.view import Frame, Process


def stage(name: str, state: str = "running", *, flow: str = "web", fill: float = 0.0, **more: Any) -> StageView:
    tally = Tally()
    tally.into = tally.out = 1_234_567
    return StageView(flow, name, "output", state, tally, 3, 1_000, fill, 3.25, 4, 1, **more)


VIEWS = (
    stage("FileTailing", "blocked"),
    stage("Regex", "blocked", fill=1.0),
    stage("failover", live_child="Fluentd-2"),
    stage("Fluentd", "retrying", last_error="ConnectionRefusedError"),
    stage("Fluentd-2", fill=0.2),
)
FRAME = Frame("web.py", VIEWS, {("web", "Regex"): 98_765.0}, 3_725, Process(42.4, 55 * 2**20))


def drawn(frame: Frame, width: int, height: int = 24, *, encoding: str = "utf-8") -> list[str]:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict", write_through=True)
    console = Console(file=file, width=width, height=height, color_system=None, legacy_windows=False)
    console.print(render(frame))
    file.seek(0)
    return file.read().splitlines()


def test_eighty_columns_hold_what_matters() -> None:
    lines = drawn(FRAME, 80)
    assert lines[0].rstrip() == "web.py  up 1h02m  cpu 42%  memory 55 MiB"
    assert lines[1].split() == ["stage", "state", "events/s", "mailbox", "total", "oldest", "errors"]
    assert lines[3].split() == ["Regex", "blocked", "98.8k", "████████", "1.23M", "3.2s", "4"]


def test_the_bottleneck_is_marked() -> None:
    assert [line.split()[0] for line in drawn(FRAME, 80) if "bottleneck" in line] == ["Fluentd"]


def test_a_failover_shows_the_child_that_is_used() -> None:
    assert any("failover > Fluentd-2" in line for line in drawn(FRAME, 100))


def test_a_wide_terminal_shows_the_last_error() -> None:
    assert any("ConnectionRefusedError" in line for line in drawn(FRAME, 140))


def test_flows_are_told_apart_when_there_are_several() -> None:
    lines = drawn(FRAME._replace(views=(stage("Null"), stage("Null", flow="other"))), 80)
    assert [line.split()[0] for line in lines[2:4]] == ["web/Null", "other/Null"]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (40, 10), (23, 80), (20, 10), (10, 5), (3, 3), (2, 1), (1, 1)])
def test_no_size_of_terminal_is_too_small(width: int, height: int) -> None:
    lines = drawn(FRAME, width, height)
    assert lines
    assert max(len(line) for line in lines) <= width
    assert len(lines) <= max(3, height)


@given(width=st.integers(1, 200), height=st.integers(1, 60), count=st.integers(0, 70), name=st.text(max_size=60))
def test_any_size_fits_any_names(width: int, height: int, count: int, name: str) -> None:
    views = tuple(stage(f"{name}{number}", sorted(COLOURS)[number % len(COLOURS)]) for number in range(count))
    lines = drawn(FRAME._replace(views=views, recipe=name), width, height)
    assert len(lines) <= max(3, height)


def test_stages_in_trouble_are_shown_where_there_is_no_room_for_all() -> None:
    views = (*(stage(f"Fine-{number}") for number in range(50)), stage("Broken", "failed"))
    lines = drawn(FRAME._replace(views=views), 80, 6)
    assert [line.split()[0] for line in lines[2:]] == ["Fine-0", "Fine-1", "Broken", "+"]
    assert lines[-1].rstrip() == "+ 48 more"


def test_a_terminal_without_unicode_gets_other_bars() -> None:
    lines = drawn(FRAME, 80, encoding="ascii")
    assert any("########" in line for line in lines)
    assert any("< bottleneck" in line for line in lines)


def test_names_and_errors_move_no_cursor() -> None:
    views = (stage("Evil\x1b[2J", last_error="\x1b]0;title\x07"),)
    assert "\x1b" not in "".join(drawn(FRAME._replace(views=views, recipe="\x1b[31m"), 160))


def test_markup_in_names_is_shown_as_it_is() -> None:
    assert any("[red]x" in line for line in drawn(FRAME._replace(views=(stage("[red]x"),)), 80))


def test_colours_go_when_nobody_wants_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    file = io.StringIO()
    Console(file=file, force_terminal=True, width=80, height=24).print(render(FRAME))
    assert "\x1b[3" not in file.getvalue()


def test_a_fill_that_is_no_number_is_drawn_all_the_same() -> None:
    assert drawn(FRAME._replace(views=(stage("Null", fill=float("nan")), stage("Null", fill=7.0))), 80)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"), (0.4, "0"), (999, "999"), (999.6, "1.00k"), (12_345, "12.3k"), (123_456, "123k"), (999_600, "1.00M"),
        (4.56e6, "4.56M"), (7.8e9, "7.80G"), (1e12, "1T"), (1e15, "1000T"),
    ],
)  # fmt: skip
def test_figures_are_short(value: float, shown: str) -> None:
    assert number(value) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-1, "0.0s"), (0.25, "0.2s"), (9.94, "9.9s"), (9.97, "10s"), (59.4, "59s"), (59.6, "1m00s"), (302, "5m02s"),
     (3_600, "1h00m"), (11_040, "3h04m"), (183_600, "2d03h")],
)  # fmt: skip
def test_lengths_of_time_are_short(seconds: float, shown: str) -> None:
    assert span(seconds) == shown


def test_an_input_that_waits_for_memory_says_so() -> None:
    waiting = stage("Counter", "blocked", memory="waits for room below the memory limit")
    assert any("blocked by memory limit" in line for line in drawn(FRAME._replace(views=(waiting,)), 80))
