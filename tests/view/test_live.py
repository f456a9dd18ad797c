from __future__ import annotations

import io
import json
import threading
from typing import Any

import pytest
from rich.console import Console

from swak import log
from swak.stats import StageView, Tally
from swak.testing import FakeClock
from swak.view import Frame, Process, Rates, View, bottlenecks, progress


def stage(name: str, kind: str = "filter", state: str = "running", total: int = 0, **figures: Any) -> StageView:
    tally = Tally()
    tally.into = tally.out = total
    given = {"mailbox_batches": 0, "mailbox_bytes": 0, "fill": 0.0, "oldest_s": None, "errors": 0, "restarts": 0}
    return StageView("web", name, kind, state, tally, **{**given, **figures})


def test_rates_are_those_of_the_last_seconds() -> None:
    rates = Rates(window_s=2)
    shown = [
        rates.update([stage("Regex", total=total)], now_s)["web", "Regex"]
        for now_s, total in enumerate((0, 10, 20, 20, 20))
    ]
    assert shown == [0, 10, 10, 5, 0]


def test_a_stage_that_comes_up_anew_has_no_negative_rate() -> None:
    rates = Rates()
    rates.update([stage("Regex", total=100)], 0)
    assert rates.update([stage("Regex", total=3), stage("New", total=7)], 1) == {("web", "Regex"): 0, ("web", "New"): 0}


def test_an_input_counts_what_goes_out_and_an_output_what_comes_in() -> None:
    read, wrote = Tally(), Tally()
    read.made = read.out = 3
    wrote.into = 2
    views = [stage("Stdin")._replace(tally=read), stage("Null")._replace(tally=wrote)]
    rates = Rates()
    rates.update([one._replace(tally=Tally()) for one in views], 0)
    assert list(rates.update(views, 1).values()) == [3, 2]


def test_the_output_that_is_down_is_the_bottleneck() -> None:
    views = [
        stage("Tail", "input", "blocked"),
        stage("Regex", fill=1.0, mailbox_batches=16, state="blocked"),
        stage("Fluentd", "output", "retrying", mailbox_batches=3, fill=0.2),
    ]
    assert bottlenecks(views) == {("web", "Fluentd")}


def test_the_last_full_stage_is_the_bottleneck() -> None:
    views = [
        stage("Tail", "input"),
        stage("Json", fill=1.0),
        stage("Regex", fill=0.95),
        stage("Null", "output", fill=0.1),
    ]
    assert bottlenecks(views) == {("web", "Regex")}


def test_a_child_that_is_down_while_nothing_waits_for_it_holds_nothing_up() -> None:
    assert bottlenecks([stage("Tail", "input"), stage("Fluentd", "output", "retrying")]) == set()


def test_each_flow_has_a_bottleneck_of_its_own() -> None:
    other = stage("Null", "output", fill=1.0)._replace(flow="other")
    assert bottlenecks([stage("Regex", fill=1.0), other]) == {("web", "Regex"), ("other", "Null")}


def test_a_run_without_trouble_has_no_bottleneck() -> None:
    assert bottlenecks([stage("Tail", "input"), stage("Null", "output", fill=0.5)]) == set()


def test_a_progress_line_tells_how_it_goes() -> None:
    views = (
        stage("Tail", "input", total=100, oldest_s=3.21),
        stage("Fluentd", "output", "retrying", total=40, mailbox_batches=2, errors=7),
    )
    frame = Frame("web.py", views, {("web", "Tail"): 12.4}, 60, Process(12.4, 50 * 2**20))
    assert progress(frame) == {
        "events": 100,
        "events_per_s": 12,
        "dead": 0,
        "errors": 7,
        "oldest_s": 3.2,
        "cpu_percent": 12,
        "rss_mib": 50,
        "bottleneck": "web/Fluentd",
        "troubled": "web/Fluentd retrying",
    }


def test_a_frame_has_the_time_since_the_start() -> None:
    clock = FakeClock()
    view = View(lambda: [stage("Tail")], "web.py", None, clock)
    clock.advance(5)
    assert view.frame().uptime_s == 5


def test_a_view_that_cannot_read_the_run_says_so_and_lets_it_go_on() -> None:
    stream = io.StringIO()
    log.configure("info", "json", stream)
    asked = threading.Event()

    def snapshot() -> list[StageView]:
        asked.set()
        raise RuntimeError("no snapshot")

    console = Console(file=io.StringIO(), force_terminal=True, width=80, height=24)
    view = View(snapshot, "web.py", console)
    view.start()
    assert asked.wait(10)
    view.stop()
    log.reset()
    assert json.loads(stream.getvalue().splitlines()[0])["event"] == "live view ended, progress lines follow"


def test_a_view_is_drawn_again_and_again() -> None:
    drawn = threading.Semaphore(0)

    def snapshot() -> list[StageView]:
        drawn.release()
        return [stage("Tail", "input")]

    output = io.StringIO()
    view = View(snapshot, "web.py", Console(file=output, force_terminal=True, width=80, height=24))
    view.start()
    assert all(drawn.acquire(timeout=10) for _ in range(3))
    view.stop()
    assert "Tail" in output.getvalue()


@pytest.mark.parametrize("console", [None, Console(file=io.StringIO(), force_terminal=True, width=80, height=24)])
def test_a_view_stops_at_once(console: Console | None) -> None:
    view = View(lambda: [stage("Tail", "input")], "web.py", console)
    view.start()
    view.stop()
    assert not view._thread.is_alive()


def test_a_progress_line_tells_what_the_memory_limit_does() -> None:
    views = (stage("Tail", "input", "blocked", memory="waits"), stage("Hold", "buffer", memory="released 3 early"))
    assert progress(Frame("web.py", views, {}))["memory"] == "web/Tail waits, web/Hold released 3 early"
    assert "memory" not in progress(Frame("web.py", (stage("Tail", "input"),), {}))
