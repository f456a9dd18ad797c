from __future__ import annotations

from swak.view.cells import Pen
from swak.view.choices import Choices
from swak.view.model import Delay, Figures, Spool
from swak.view.panes import Extras, Scene, detail, helped, logged, rule, tapped
from tests.view.scenes import frame, stage

PEN = Pen()


def texts(lines: list[list[tuple[str, str]]]) -> list[str]:
    return ["".join(text for text, _ in line) for line in lines]


def scene(width: int = 80, extras: Extras | None = None) -> Scene:
    choices = Choices(leaving="drain and quit")
    choices.tapped = ("web", "Regex")
    return Scene(frame(stage("Regex")), choices, width, 24, PEN, extras or Extras())


def test_help_tells_what_q_does_here() -> None:
    assert any("q" in line and "drain and quit" in line for line in texts(helped(scene(), 20)))
    assert texts(helped(scene(20), 20))[-1] == "q drain and quit"
    assert len(helped(scene(), 3)) == 3


def test_a_tap_shows_the_latest_events_at_the_bottom() -> None:
    shown = texts(tapped(scene(extras=Extras(["one", "two", "three"], left_out=1_234)), 3))
    assert shown[0].startswith("── tap web/Regex, 1.23k more passed ──")
    assert shown[1:] == ["two", "three"]


def test_a_tap_without_events_says_that_it_waits() -> None:
    assert texts(tapped(scene(), 9))[1] == "waiting for events; Esc leaves"


def test_a_long_event_takes_two_lines_and_no_more() -> None:
    shown = texts(tapped(scene(20, Extras(["word " * 50])), 9))
    assert [len(line) <= 20 for line in shown] == [True] * 3


def test_the_detail_of_an_input_has_its_delays_and_each_files_lag() -> None:
    view = stage("Tail", "input", total=5)
    lags = {f"/{number}": number for number in range(9)}
    shown = frame(view, figures={"Tail": Figures(lags=lags)})
    shown = shown._replace(delays={("web", "Tail"): Delay(0.1, float("inf"))})
    found = texts(detail(shown, view, 80, PEN))
    assert "delivered within ≤ 100 ms (half), > 30m (95 of 100)" in found[1]
    assert [line.split()[-1] for line in found[2:8]] == ["/8", "/7", "/6", "/5", "/4", "/3"]
    assert found[-1] == "3 more files"


def test_the_detail_tells_errors_reasons_and_spools() -> None:
    view = stage("Buffer", "buffer", total=5, last_error="disk full", retries=3, restarts=2, memory="waits")
    view.tally.filtered["Drop"], view.tally.dead["no match"] = 4, 14
    figures = {"Buffer": Figures(spool=Spool(7, 1_000, 2_000, 3.0), children=("A", "B"), down=("B",))}
    told = "\n".join(texts(detail(frame(view, figures=figures), view, 300, PEN)))
    for text in (
        "last error: disk full", "filtered: 4 Drop", "dead: 14 no match", "7 batches, 1.0 kB of 2.0 kB, oldest 3.0s",
        "outputs A, B (down)", "retries 3", "restarts 2", "memory waits",
    ):  # fmt: skip
        assert text in told


def test_lines_of_the_log_have_no_colours_and_no_date() -> None:
    assert texts(logged(["\x1b[2m2026-11-22T00:07:13.620Z\x1b[0m [info] \x1b[1mx\x1b[0m"], 80, PEN))[1:] == [
        "00:07:13 [info] x"
    ]


def test_a_rule_goes_across_the_window() -> None:
    assert len(texts([rule("log", 40, PEN)])[0]) == 40
