from __future__ import annotations

import io
import json
import threading
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from swak import log
from swak.errors import SwakError
from swak.view.live import View
from swak.view.model import Figures, Look
from tests.flows.waiting import until
from tests.view.scenes import Subject, stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from swak.view.model import Key

WAIT_S = 20.0
LOOK = Look((stage("Tail", "input"), stage("Null", "output", "paused")), {("web", "Null"): Figures(paused=True)})


class Typist:
    """A keyboard on which a test types."""

    def __init__(self, *keys: str) -> None:
        self.has_keys = True
        self.foreground = True
        self.steps: list[str] = []
        self._keys = list(keys)
        self._typed = threading.Event()

    def type(self, *keys: str) -> None:
        self._keys += keys
        self._typed.set()

    def ours(self) -> bool:
        return self.foreground

    def enter(self) -> None:
        self.steps.append("enter")

    def leave(self) -> None:
        self.steps.append("leave")

    def wait(self, timeout_s: float) -> list[str]:
        self._typed.wait(timeout_s)
        self._typed.clear()
        keys, self._keys = self._keys, []
        return keys

    def wake(self) -> None:
        self._typed.set()

    def close(self) -> None:
        self.steps.append("close")


def console(file: io.StringIO | None = None) -> Console:
    return Console(file=file or io.StringIO(), force_terminal=True, width=80, height=24)


@pytest.fixture
def told() -> Iterator[io.StringIO]:
    """What is logged."""
    stream = io.StringIO()
    log.configure("info", "json", stream)
    yield stream
    log.reset()


def events(stream: io.StringIO) -> list[str]:
    return [json.loads(line)["event"] for line in stream.getvalue().splitlines()]


def begun(subject: Subject, output: io.StringIO, keys: Typist, leave: Callable[[], str] | None = None) -> View:
    """Start a view with a keyboard, and wait for its first picture."""
    view = View(subject, "web.py", console(output), keyboard=keys, leave=leave)
    view.start()
    until(lambda: "Tail" in output.getvalue(), "a picture")
    return view


def watched(looks: int) -> str:
    """Return what a view writes while it looks at the run so many times."""
    looked, output = threading.Semaphore(0), io.StringIO()

    def look() -> Look:
        looked.release()
        return LOOK

    view = View(Subject(look), "web.py", console(output))
    view.start()
    assert all(looked.acquire(timeout=10) for _ in range(looks))
    view.stop()
    return output.getvalue()


def test_a_frame_has_the_time_since_the_start() -> None:
    view = View(Subject(lambda: LOOK._replace(uptime_s=5.0)), "web.py", None)
    assert view.frame().look.uptime_s == 5
    assert view.frame().recipe == "web.py"


def test_a_view_that_cannot_read_the_run_says_so_and_lets_it_go_on(told: io.StringIO) -> None:
    def look() -> Look:
        raise RuntimeError("no snapshot")

    shown = io.StringIO()
    view = View(Subject(look), "web.py", console(shown), keyboard=(keys := Typist()))
    view.start()
    until(told.getvalue, "the log")
    view.stop()
    assert events(told)[0] == "live view ended, progress lines follow"
    assert shown.getvalue().endswith("\x1b[?25h\x1b[?1049l")
    assert keys.steps[0] == "enter"
    assert "leave" in keys.steps


def test_who_watches_another_agent_is_told_when_drawing_fails() -> None:
    failed: list[Exception] = []

    def look() -> Look:
        raise RuntimeError("no snapshot")

    view = View(Subject(look), "web.py", console(), failed=failed.append)
    view.start()
    until(lambda: failed, "a failure")
    view.stop()
    assert str(failed[0]) == "no snapshot"


def test_a_terminal_that_takes_no_text_ends_the_drawing_only(told: io.StringIO) -> None:
    class Gone(io.StringIO):
        def write(self, _text: str) -> int:
            raise OSError(5, "Input/output error")

    view = View(Subject(lambda: LOOK), "web.py", console(Gone()), keyboard=(keys := Typist()))
    view.start()
    until(lambda: "running" in events(told), "progress lines")
    view.stop()
    assert events(told) == ["live view ended, progress lines follow", "running"]
    assert keys.steps[-2:] == ["leave", "close"]


def test_a_view_is_drawn_again_and_again() -> None:
    assert "Tail" in watched(looks=3)


def test_nothing_is_written_when_nothing_has_changed() -> None:
    assert watched(looks=4).count("\x1b[?2026h") == 1


@pytest.mark.parametrize("shown", [False, True])
def test_a_view_stops_at_once(shown: bool) -> None:
    view = View(Subject(lambda: LOOK), "web.py", console() if shown else None)
    assert view.is_drawn == shown
    view.start()
    view.stop()
    assert not view.is_alive


def test_keys_pause_resume_and_tap_a_stage_and_quit() -> None:
    subject, left, output = Subject(lambda: LOOK), threading.Event(), io.StringIO()

    def leave() -> str:
        left.set()
        return "draining; q again stops at once"

    keys = Typist()
    view = begun(subject, output, keys, leave)
    keys.type("p", "down", "p", "t")
    until(lambda: "an event" in output.getvalue(), output.getvalue)
    assert not subject.peeked.closed
    keys.type("escape", "q")
    assert left.wait(WAIT_S)
    until(lambda: "q again stops at once" in output.getvalue(), output.getvalue)
    view.stop()
    assert subject.asked == [("pause", ("web", "Tail")), ("resume", ("web", "Null")), ("peek", ("web", "Null"), 0.0)]
    assert subject.peeked.closed


def test_what_cannot_be_done_is_told_where_it_was_asked() -> None:
    subject, output, keys = Subject(lambda: LOOK), io.StringIO(), Typist()
    subject.error = SwakError("the run is ending")
    view = begun(subject, output, keys)
    keys.type("p")
    until(lambda: "the run is ending" in output.getvalue(), output.getvalue)
    view.stop()


def test_a_view_in_the_background_leaves_the_terminal_to_others() -> None:
    output, keys = io.StringIO(), Typist()
    view = begun(Subject(lambda: LOOK), output, keys)
    keys.foreground = False
    until(lambda: output.getvalue().endswith("\x1b[?1049l"), "the first screen")
    keys.foreground = True
    until(lambda: output.getvalue().count("\x1b[?1049h") == 2, "the other screen")
    view.stop()
    assert output.getvalue().endswith("\x1b[?1049l")


def test_a_view_that_is_stuck_leaves_the_terminal_clean() -> None:
    go_on = threading.Event()

    class Stuck(Subject):
        """An agent that does not answer."""

        def pause(self, stage: Key, *, on: bool) -> None:
            self.asked.append((stage, on))
            go_on.wait(WAIT_S)

    subject, output, keys = Stuck(lambda: LOOK), io.StringIO(), Typist()
    view = begun(subject, output, keys)
    keys.type("p")
    until(lambda: subject.asked, "a pause")
    view.stop()
    assert output.getvalue().endswith("\x1b[?1049l")
    assert keys.steps[-1] == "leave"
    go_on.set()
    until(lambda: not view.is_alive, "the end")
    assert output.getvalue().endswith("\x1b[?1049l")


def test_a_tap_that_ends_by_itself_is_left() -> None:
    subject, output, keys = Subject(lambda: LOOK), io.StringIO(), Typist()

    def take() -> list[str]:
        raise SwakError("the agent has ended")

    subject.peeked.take = take  # type: ignore[method-assign]  # the agent's end
    view = begun(subject, output, keys)
    keys.type("t")
    until(lambda: "the agent has ended" in output.getvalue(), output.getvalue)
    view.stop()
    assert subject.peeked.closed


def test_the_picture_of_forty_stages_is_cheap() -> None:
    """A picture twice a second is to take less than two hundredths of a core: 10 ms each."""
    import time

    from swak.view.cells import Pen
    from swak.view.choices import Choices
    from swak.view.drawing import draw
    from swak.view.panes import Scene
    from swak.view.screen import Screen

    look = Look(tuple(stage(f"Stage-{number}", fill=0.3) for number in range(40)))
    view = View(Subject(lambda: look), "web.py", None)
    screen = Screen(console())
    screen.enter()
    costs = []
    for _ in range(10):
        began_s = time.thread_time()
        screen.forget()
        screen.paint(draw(Scene(view.frame(), Choices(), 200, 50, Pen())), (200, 50))
        costs.append(time.thread_time() - began_s)
    screen.leave()
    assert min(costs) < 0.01
