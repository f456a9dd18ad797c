from __future__ import annotations

import pytest

from swak.view.choices import FILTER_CHARS, SORTS, Choices, Wish
from swak.view.model import Figures
from tests.view.scenes import frame, stage

FRAME = frame(
    stage("Tail", "input"),
    stage("Regex", fill=0.2),
    stage("beta", fill=0.9),
    stage("Null", "output", "paused"),
    rates={"Tail": 1, "Regex": 3, "beta": 2},
    figures={"Tail": Figures(lags={"/a": 5}), "Null": Figures(paused=True)},
)


def names(choices: Choices) -> list[str]:
    return [view.stage for view in choices.chosen(FRAME)]


def press(choices: Choices, *keys: str) -> Wish | None:
    wish = None
    for key in keys:
        wish = choices.react(key, FRAME)
    return wish


def test_s_goes_through_the_orders() -> None:
    choices = Choices()
    shown = {}
    for _ in SORTS:
        shown[choices.sort] = names(choices)
        press(choices, "s")
    assert choices.sort == "flow"
    assert shown == {
        "flow": ["Tail", "Regex", "beta", "Null"],
        "rate": ["Regex", "beta", "Tail", "Null"],
        "lag": ["Tail", "Null", "Regex", "beta"],
        "mailbox": ["beta", "Regex", "Null", "Tail"],
        "name": ["beta", "Null", "Regex", "Tail"],
    }


def test_a_filter_is_typed_kept_and_dropped() -> None:
    choices = Choices()
    press(choices, "/", "O", "u", "x", "backspace", "t", "enter")
    assert (choices.filter, choices.editing, names(choices)) == ("Out", False, ["Null"])
    press(choices, "escape")
    assert names(choices) == ["Tail", "Regex", "beta", "Null"]
    press(choices, "/", "q", "escape")
    assert (choices.filter, choices.editing) == ("", False)


def test_what_is_typed_into_a_filter_is_no_command() -> None:
    choices = Choices()
    assert press(choices, "/", "q") is None
    press(choices, *"x" * 200)
    assert len(choices.filter) == FILTER_CHARS
    press(choices, "clear")
    assert choices.filter == ""


@pytest.mark.parametrize("text", ["paused", "input", "web/reg", "BETA"])
def test_a_filter_looks_at_names_kinds_and_states(text: str) -> None:
    choices = Choices()
    choices.filter = text
    assert len(names(choices)) == 1


def test_the_selection_moves_and_stays_within_the_stages() -> None:
    choices = Choices()
    seen = []
    for key in ("down", "j", "k", "G", "down", "g", "up", "pagedown", "end", "home"):
        press(choices, key)
        seen.append(choices.selected and choices.selected[1])
    assert seen == ["Regex", "beta", "Regex", "Null", "Null", "Tail", "Tail", "Regex", "Null", "Tail"]


def test_the_selection_stays_with_its_stage_when_the_order_changes() -> None:
    choices = Choices()
    press(choices, "down", "s")
    assert choices.row(choices.chosen(FRAME)) == 0
    assert press(choices, "p") == Wish("pause", ("web", "Regex"))


def test_p_resumes_a_stage_that_is_paused() -> None:
    assert press(Choices(), "G", "p") == Wish("resume", ("web", "Null"))
    assert press(Choices(), " ") == Wish("pause", ("web", "Tail"))


def test_a_tap_follows_the_selection_and_escape_leaves_it() -> None:
    choices = Choices()
    assert press(choices, "t") == Wish("tap", ("web", "Tail"))
    assert press(choices, "down") == Wish("tap", ("web", "Regex"))
    assert press(choices, "enter") is None
    assert press(choices, "escape") == Wish("untap")
    assert choices.tapped is None


def test_any_key_leaves_the_help() -> None:
    choices = Choices()
    assert press(choices, "?") is None
    assert choices.helping
    assert press(choices, "q") is None
    assert not choices.helping


def test_q_quits_and_ctrl_l_draws_anew_even_while_a_filter_is_typed() -> None:
    choices = Choices()
    assert press(choices, "q") == Wish("quit")
    assert press(choices, "/", "redraw") == Wish("redraw")


def test_nothing_can_be_chosen_where_nothing_is_shown() -> None:
    choices = Choices()
    choices.filter = "no such stage"
    assert press(choices, "down", "p") is None
    assert press(choices, "t") is None
    assert choices.react("z", frame()) is None
