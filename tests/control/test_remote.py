from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from swak import in_, out, task
from swak.control.client import ControlError
from swak.control.remote import LOOK_S, Remote
from tests.control.served import served
from tests.flows.waiting import until, view_of
from tests.view.scenes import gained

if TYPE_CHECKING:
    from pathlib import Path

NULL = ("t", "Null")


def test_the_view_of_another_process_keeps_its_last_figures_when_that_has_ended(tmp_path: Path) -> None:
    source = in_.Memory(["a"], follow=True)
    with served(tmp_path, task(source, out.Null(), name="t")) as one:
        remote = Remote(one.connect)
        look = remote.look()
        assert [view.stage for view in look.views] == ["Memory", "Null"]
        assert look.process is not None
        assert look.process.rss_bytes > 0
        assert not remote.ended.is_set()
        source.end()
        one.run.wait(20)
        one.server.close()
        assert remote.ended.wait(20)
        assert [view.stage for view in remote.look().views] == ["Memory", "Null"]
        assert "has closed the connection" in remote.why
        remote.close()


def test_figures_are_asked_for_again_and_again(tmp_path: Path) -> None:
    source = in_.Memory([], follow=True)
    with served(tmp_path, task(source, out.Null(), name="t")) as one:
        remote = Remote(one.connect)
        source.feed({"n": 1})
        until(lambda: remote.look().views[-1].tally.into == 1, remote.look)
        assert remote.look().silent_s < LOOK_S + 20
        remote.close()
        assert remote.why == ""
        source.end()


def test_a_stage_of_another_process_is_paused_and_goes_on(tmp_path: Path) -> None:
    source = in_.Memory([], follow=True)
    with served(tmp_path, task(source, out.Null(), name="t")) as one:
        until(lambda: view_of(one.run, "Null").state == "running", one.run.snapshot)
        remote = Remote(one.connect)
        remote.pause(NULL, on=True)
        until(lambda: remote.look().figures[NULL].paused, remote.look)
        remote.pause(NULL, on=False)
        assert not one.run.crew.posts[-1].mailbox.paused
        with pytest.raises(ControlError, match="there is no stage"):
            remote.pause(("t", "Gone"), on=True)
        remote.close()
        source.end()


def test_events_of_another_process_are_shown_and_the_tap_ends_with_the_look(tmp_path: Path) -> None:
    source = in_.Memory([], follow=True)
    with served(tmp_path, task(source, out.Null(), name="t")) as one:
        remote = Remote(one.connect)
        peek = remote.peek(NULL, 0.0)
        until(lambda: one.run.crew.posts[-1].mailbox.taps, "a tap")
        source.feed({"text": "\x9b2J"})
        lines: list[str] = []
        until(lambda: lines or gained(lines, peek), "an event")
        assert r"\u009b2J" in lines[0]
        peek.close()
        until(lambda: not one.run.crew.posts[-1].mailbox.taps, "no tap")
        remote.close()
        source.end()


def test_of_a_fast_stage_only_some_events_are_asked_for(tmp_path: Path) -> None:
    source = in_.Memory([], follow=True)
    with served(tmp_path, task(source, out.Null(), name="t")) as one:
        remote = Remote(one.connect)
        peek = remote.peek(NULL, 500.0)
        until(lambda: one.run.crew.posts[-1].mailbox.taps, "a tap")
        source.feed(*({"n": n} for n in range(100)))
        lines: list[str] = []
        until(lambda: gained(lines, peek) and len(lines) == 10, lambda: lines)
        assert peek.left_out == 90
        peek.close()
        remote.close()
        source.end()


def test_a_tap_into_a_stage_that_is_not_there_says_so(tmp_path: Path) -> None:
    source = in_.Memory([], follow=True)
    with served(tmp_path, task(source, out.Null(), name="t")) as one:
        remote = Remote(one.connect)
        peek = remote.peek(("t", "Gone"), 0.0)
        seen: list[str] = []

        def refused() -> bool:
            try:
                peek.take()
            except ControlError as error:
                seen.append(str(error))
            return bool(seen)

        until(refused, "a refusal")
        assert "there is no stage" in seen[0]
        peek.close()
        remote.close()
        source.end()
