"""A seat dies at every line of a turn, on every kind of stage: nothing is lost, at most one letter is repeated."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pykka
import pytest

from swak import failover, main, running, task
from swak.actors.seat import Seat
from swak.workers import child
from tests.faults.attack import KINDS, LineShot
from tests.faults.flow import SIZE, Hold, LateSink, Numbers, Pass, Sink
from tests.oracle import judge
from tests.workers.threads import in_a_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from swak.recipe import Flow

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),  # that is the attack
]
COUNT = 20
LONG = bool(os.environ.get("SWAK_LONG"))
MAIN_STRIDE, WORKERS_STRIDE = (1, 1) if LONG else (4, 3)
"""Main's thread runs the turns of all seats, each of which is attacked at every line by itself, too."""


def _filter(sinks: list[Sink]) -> Flow:
    return task(Numbers(COUNT), Pass(), sinks[0])


def _fan_out(sinks: list[Sink]) -> Flow:
    return task(Numbers(COUNT), Pass(), [sinks[0], sinks[1]])


def _by_tag(sinks: list[Sink]) -> Flow:
    return task(Numbers(COUNT), {"**": sinks[0]})


def _buffer(sinks: list[Sink]) -> Flow:
    return task(Numbers(COUNT), Hold(), sinks[0])


def _failover(sinks: list[Sink]) -> Flow:
    return task(Numbers(COUNT), failover(sinks[0], sinks[1]))


def _main(sinks: list[Sink]) -> Flow:
    return main(Numbers(COUNT), Pass(), {"**": Hold()}, sinks[0])


def _main_failover(sinks: list[Sink]) -> Flow:
    return main(Numbers(COUNT), failover(sinks[0], sinks[1]))


CASES: list[tuple[str, Callable[[list[Sink]], Flow], str, int]] = [
    ("input", _filter, "Numbers", 1),
    ("filter", _filter, "Pass", 1),
    ("output", _filter, "Sink", 1),
    ("input of a fan-out", lambda sinks: task(Numbers(COUNT), [sinks[0], sinks[1]]), "Numbers", 2),
    ("filter of a fan-out", _fan_out, "Pass", 2),
    ("by tag", _by_tag, "ByTag", 1),
    ("buffer", _buffer, "Hold", 1),
    ("failover", _failover, "Failover", 1),
    ("failover's child", _failover, "Sink", 1),
]


@pytest.mark.parametrize(("build", "stage", "copies"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_death_at_any_line_loses_nothing(build: Callable[[list[Sink]], Flow], stage: str, copies: int) -> None:
    _sweep(build, f"/{stage}", copies, KINDS)


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # of a socket whose owner died before it could note it
def test_a_death_at_any_line_of_a_workers_seat_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "process_with", in_a_thread)
    _sweep(lambda sinks: task(Numbers(COUNT), Pass(), sinks[0], workers=2), "/Pass", 1, KINDS, WORKERS_STRIDE)


@pytest.mark.parametrize("build", [_main, _main_failover], ids=["chain", "failover"])
def test_a_death_at_any_line_of_mains_turns_loses_nothing(build: Callable[[list[Sink]], Flow]) -> None:
    kinds = tuple(kind for kind in KINDS if kind is not KeyboardInterrupt)
    _sweep(build, ":main", 1, kinds, MAIN_STRIDE)


def _sweep(
    build: Callable[[list[Sink]], Flow],
    thread: str,
    copies: int,
    kinds: tuple[Callable[[], BaseException], ...],
    stride: int = 1,
) -> None:
    number = 1
    while _one_run(build, thread, copies, number, kinds[number % len(kinds)]):
        number += stride
    assert number > 50, "the attack never reached the stage"
    assert not [ref for ref in pykka.ActorRegistry.get_all() if issubclass(ref.actor_class, Seat)]


def _one_run(
    build: Callable[[list[Sink]], Flow], thread: str, copies: int, number: int, kind: Callable[[], BaseException]
) -> str:
    sinks = [Sink(), Sink()]
    with LineShot(thread, number, kind) as shot, running(build(sinks), grace_s=20) as run:
        assert run.wait(20), f"stuck after shot {number} at {shot.fired}: {run.snapshot()}"
    try:
        # A buffer repeats a flush of seven, and what an earlier flush had taken of the same letter.
        largest = 7 + SIZE - 1 if thread in ("/Hold", ":main") else SIZE
        together = [number for sink in sinks for number in sink.arrived]
        if copies == 1:
            judge(range(COUNT), together, ordered=not sinks[1].arrived).assert_right(duplicates_max=largest)
        else:
            for sink in sinks:
                judge(range(COUNT), sink.arrived).assert_right(duplicates_max=largest)
        receipt = run.receipt()
        assert receipt.inputs[0].delivered == COUNT
        assert [view.tally.unaccounted() for view in receipt.stages] == [0] * len(receipt.stages)
    except AssertionError as error:
        raise AssertionError(f"shot {number} at {shot.fired}: {error}") from error
    for thread_left in threading.enumerate():
        if thread_left.name.startswith("swak:clear:"):  # it ends by itself, and nobody waits for it
            thread_left.join(10)
    left = [thread.name for thread in threading.enumerate() if thread.name.startswith("swak:")]
    assert not left, f"shot {number} at {shot.fired}: {left}"
    return shot.fired


def test_pending_writes_come_again_after_a_death() -> None:
    number = 1
    while True:
        sink = LateSink()
        shot = LineShot("/LateSink", number, KINDS[number % len(KINDS)])
        with shot, running(task(Numbers(COUNT), sink), grace_s=20) as run:
            assert run.wait(20), f"stuck after {shot.fired}: {run.snapshot()}"
        judge(range(COUNT), sink.arrived).assert_right(duplicates_max=4 * SIZE)
        assert run.receipt().inputs[0].delivered == COUNT
        if not shot.fired:
            break
        number += 1
    assert number > 50
