from __future__ import annotations

import io
import runpy
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from swak.view.cells import Pen
from swak.view.choices import Choices
from swak.view.columns import COLOURS
from swak.view.drawing import as_text, draw
from swak.view.model import Figures, Frame, Process
from swak.view.panes import Extras, Scene
from tests.view.scenes import drawn, frame, stage

EXAMPLE: Frame = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "picture.py"))["example"]()


VIEWS = (
    stage("FileTailing", "input", "blocked"),
    stage("Regex", "filter", "blocked", 1_234_567, fill=1.0, errors=4),
    stage("failover", "failover", live_child="Fluentd-2"),
    stage("Fluentd", "output", "retrying", down_s=3.0, mailbox_batches=3, last_error="ConnectionRefusedError"),
    stage("Fluentd-2", "output", fill=0.2),
)
FRAME = frame(
    *VIEWS, rates={"Regex": 98_765.0}, uptime_s=3_725, process=Process(42.4, 55_000_000),
    figures={"failover": Figures(children=("Fluentd", "Fluentd-2"), down=("Fluentd",)),
             "Fluentd": Figures(router="failover"), "Fluentd-2": Figures(router="failover")},
)  # fmt: skip
SIZES = [(200, 50), (120, 30), (80, 24), (40, 10), (23, 80), (20, 10), (14, 6), (10, 5), (3, 3), (2, 1), (1, 2), (1, 1)]


def row(lines: list[str], name: str) -> str:
    return next(line for line in lines if name in line and "●" in line)


def test_eighty_columns_hold_what_matters() -> None:
    lines = drawn(FRAME, 80)
    assert lines[0].rstrip() == "web.py  up 1h02m  cpu 42%  memory 55 MB"
    assert lines[1].startswith("in 0/s")
    assert "stage state rate last 30 s mailbox oldest errors total" in [" ".join(line.split()) for line in lines]
    assert row(lines, "Regex").split() == ["●", "Regex", "blocked", "98.8k/s", "━━━━━━━━", "4", "1.23M"]


def test_the_bottleneck_is_named() -> None:
    assert any("Fluentd is down for 3.0s, failover uses Fluentd-2" in line for line in drawn(FRAME, 120))
    only = frame(stage("Tail", "input"), stage("Regex", fill=1.0))
    assert drawn(only)[2] == "▲ Regex is the bottleneck: its mailbox is full"
    assert "bottleneck" in row(drawn(only, 120), "Regex")


def test_a_failover_shows_the_child_that_is_used_and_those_that_are_down() -> None:
    lines = drawn(FRAME, 140)
    assert "uses Fluentd-2, 1 of 2 down" in row(lines, "failover")
    assert row(lines, "└ Fluentd-2").rstrip().endswith("in use")


def test_a_wide_terminal_shows_the_last_error() -> None:
    views = (stage("Tail", "input"), stage("Fluentd", "output", last_error="ConnectionRefusedError"))
    assert "ConnectionRefusedError" in row(drawn(frame(*views), 140), "Fluentd")


def test_flows_are_told_apart_when_there_are_several() -> None:
    lines = drawn(frame(stage("Null"), stage("Null", flow="other")), 80)
    assert [line.split()[1] for line in lines if "●" in line] == ["web/Null", "other/Null"]


def test_a_run_without_trouble_says_so() -> None:
    assert "✔ all well" in drawn(frame(stage("Null")))


def test_ten_columns_show_how_much_flows_and_what_is_wrong() -> None:
    bad = frame(stage("Tail", "input", oldest_s=212.0), stage("File", "output", "failed"), rates={"Tail": 12_340})
    assert drawn(bad, 10, 5) == ["12.3k/s", "File", "failed", "old 3m32s"]
    assert drawn(frame(stage("Tail", "input"), rates={"Tail": 1}), 10, 5) == ["1.0/s", "all well"]
    assert drawn(bad, 1, 1) == ["✖"]


def test_a_narrow_and_high_window_gives_each_stage_two_lines() -> None:
    lines = drawn(EXAMPLE, 23, 80)
    at = next(number for number, line in enumerate(lines) if "FileTailing" in line)
    assert lines[at].endswith("12.3k/s")
    assert "lag 3.6 MB" in lines[at + 1]


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("shown", [FRAME, EXAMPLE, frame()], ids=["small", "example", "empty"])
@pytest.mark.parametrize("doing", ["nothing", "keys", "help", "tap", "filter"])
def test_no_size_of_terminal_is_too_small(shown: Frame, width: int, height: int, doing: str) -> None:
    choices = Choices(has_keys=doing != "nothing")
    choices.helping, choices.editing = doing == "help", doing == "filter"
    choices.tapped = ("web", "Regex") if doing == "tap" else None
    extras = Extras(['{"a": 1}'] * 50, 7, ["a line of the log"] * 9, "a notice" if doing == "keys" else "")
    lines = drawn(shown, width, height, choices, extras=extras)
    assert lines
    assert max(cell_len(line) for line in lines) <= width
    assert len(lines) <= height


@given(
    width=st.integers(1, 200),
    height=st.integers(1, 60),
    count=st.integers(0, 70),
    name=st.text(max_size=60),
    has_keys=st.booleans(),
    row=st.integers(0, 80),
)
def test_any_size_fits_any_names(width: int, height: int, count: int, name: str, *, has_keys: bool, row: int) -> None:
    states = sorted(COLOURS)
    views = [stage(f"{name}{number}", "filter", states[number % len(states)]) for number in range(count)]
    choices = Choices(has_keys=has_keys)
    choices.selected = ("web", f"{name}{row}")
    lines = drawn(frame(*views, recipe=name), width, height, choices)
    assert len(lines) <= height
    assert all(cell_len(line) <= width for line in lines)
    in_table = width >= 20 and height >= 12 and row < count and has_keys and name.isalnum() and len(name) < 5
    assert not in_table or any("▸" in line for line in lines)


def test_stages_in_trouble_are_shown_where_there_is_no_room_for_all() -> None:
    views = (*(stage(f"Fine-{number}") for number in range(50)), stage("Broken", "failed", "failed"))
    lines = drawn(frame(*views), 80, 8)
    assert [line.split()[1] for line in lines[4:]] == ["Fine-0", "Fine-1", "Broken", "48"]
    assert lines[-1] == "  … 48 more of 51"


def test_the_selected_stage_is_on_the_page_and_pages_turn() -> None:
    views = [stage(f"S{number:02}") for number in range(40)]
    shown, choices, seen = frame(*views), Choices(), set[str]()
    for _ in range(20):
        lines = drawn(shown, 80, 16, choices)
        seen |= {line.split("●")[1].split()[0] for line in lines if "●" in line}
        assert sum("▸" in line for line in lines) == 1
        choices.react("pagedown", shown)
    assert seen == {view.stage for view in views}


def test_a_terminal_without_unicode_gets_other_signs() -> None:
    lines = drawn(FRAME, 100, encoding="ascii")
    assert all(line.isascii() for line in lines)
    assert any("########" in line for line in lines)
    assert all(line.isascii() for line in drawn(EXAMPLE, 200, 50, Choices(), encoding="ascii"))


def test_wide_characters_keep_the_columns_in_place() -> None:
    lines = drawn(frame(stage("로그수집", "input"), stage("Regex", fill=0.5)), 80)
    at = [cell_len(line[: line.index("running")]) for line in lines if "running" in line]
    assert len(set(at)) == 1


def test_names_and_errors_move_no_cursor() -> None:
    views = (stage("Evil\x1b[2J", "output", "failed", last_error="\x1b]0;title\x07"),)
    assert "\x1b" not in "".join(drawn(frame(*views, recipe="\x1b[31m"), 160, 40, Choices()))


def test_colours_go_when_nobody_wants_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    file = io.StringIO()
    text = as_text(draw(Scene(FRAME, Choices(), 80, 24, Pen())))
    Console(file=file, force_terminal=True, width=80, height=24).print(text)
    assert "\x1b[3" not in file.getvalue()
    assert "\x1b[1m" in file.getvalue()


def test_markup_in_names_is_shown_as_it_is() -> None:
    file = io.StringIO()
    Console(file=file, width=80).print(as_text(draw(Scene(frame(stage("[red]x")), Choices(), 80, 24, Pen()))))
    assert "[red]x" in file.getvalue()


def test_a_fill_that_is_no_number_is_drawn_all_the_same() -> None:
    assert drawn(frame(stage("Null", fill=float("nan")), stage("Null-2", fill=7.0)))


def test_the_foot_tells_the_keys_the_filter_and_the_answer_to_a_key() -> None:
    choices = Choices(leaving="drain and quit")
    assert drawn(FRAME, 80, 24, choices)[-1].startswith("q drain and quit  ? help  s sort:flow  / filter")
    choices.filter, choices.editing = "x" * 100, True
    assert drawn(FRAME, 40, 24, choices)[-1] == f"filter: {'x' * 30}_"
    choices.filter, choices.editing = "zzz", False
    assert any('no stage has "zzz"' in line for line in drawn(FRAME, 80, 24, choices))
    assert drawn(FRAME, extras=Extras(notice="web/Null is paused"))[-1] == "web/Null is paused"


def test_draining_and_silence_stand_in_the_header() -> None:
    assert "draining" in drawn(frame(stage("Null"), draining=True))[0]
    assert "no answer" in drawn(frame(stage("Null"), silent_s=5.0))[0]


def test_the_log_stands_below_where_there_is_room() -> None:
    lines = drawn(FRAME, 80, 24, extras=Extras(log=["\x1b[1m2026-01-02T03:04:05.678Z\x1b[0m what happened"]))
    assert lines[-1] == "03:04:05 what happened"


def test_a_long_path_of_a_recipe_is_shown_by_its_end() -> None:
    assert drawn(frame(stage("Null"), recipe="/a/very/long/path/" + "x" * 40 + "/web.py"), 80)[0].startswith("web.py ")
