from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from swak import in_, out, running, task
from swak.control.own import EVENTS_MAX, Own, gate
from swak.errors import SwakError
from tests.flows.waiting import until, view_of
from tests.view.scenes import gained

if TYPE_CHECKING:
    from collections.abc import Iterator

    from swak.actors.running import Run
    from swak.plugins.inputs.memory import Memory

NULL = ("web", "Null")


@pytest.fixture
def source() -> Memory:
    return in_.Memory([], follow=True)


@pytest.fixture
def run(source: Memory) -> Iterator[Run]:
    with running(task(source, out.Drop("n == 0"), out.Null(), name="web")) as made:
        until(lambda: view_of(made, "Null").state == "running", made.snapshot)
        yield made
        source.end()


def test_a_stage_is_paused_and_goes_on(run: Run) -> None:
    own = Own(run)
    own.pause(NULL, on=True)
    assert own.look().figures[NULL].paused
    assert view_of(run, "Null").state == "paused"
    own.pause(NULL, on=False)
    assert not own.look().figures[NULL].paused


def test_a_stage_that_is_not_there_is_refused(run: Run) -> None:
    own = Own(run)
    with pytest.raises(SwakError, match="web/Gone is there no more"):
        own.pause(("web", "Gone"), on=True)
    with pytest.raises(SwakError, match="no more"):
        own.peek(("web", "Gone"), 0.0)


def test_a_run_that_ends_cannot_be_paused(run: Run, source: Memory) -> None:
    source.end()
    assert run.wait(20)
    with pytest.raises(SwakError, match="the run is ending"):
        gate(run, run.crew.posts[0], on=True)


def test_the_last_events_of_a_stage_are_shown_as_harmless_text(run: Run, source: Memory) -> None:
    peek = Own(run).peek(NULL, 0.0)
    moment = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
    source.feed({"n": 1, "text": "\x1b[2J\x9b\x7f\u202e한", "raw": b"\xff", "at": moment, "ratio": float("nan")})
    lines: list[str] = []
    until(lambda: lines or gained(lines, peek), "an event")
    assert all(line.isprintable() for line in lines)
    assert r"\u001b[2J\u009b\u007f\u202e한" in lines[0]
    peek.close()
    assert run.crew.posts[-1].mailbox.taps == ()


def test_of_many_events_only_the_last_are_made_text_of(run: Run, source: Memory) -> None:
    peek = Own(run).peek(NULL, 0.0)
    source.feed(*({"n": n} for n in range(1, 501)))
    until(lambda: view_of(run, "Null").tally.into == 500, run.snapshot)
    lines = peek.take()
    assert 0 < len(lines) <= EVENTS_MAX
    assert '"n": 500' in lines[-1]
    assert peek.left_out == 500 - len(lines)
    assert peek.take() == []
    peek.close()
