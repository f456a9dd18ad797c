"""Exceptions rain on every thread of a running topology: nothing is lost, order holds, duplicates are explained."""

from __future__ import annotations

import json
import random
import threading
import time
from typing import TYPE_CHECKING

import pytest

from swak import failover, running, task
from swak.datadir import DataDir
from tests.faults.attack import shoot
from tests.faults.flow import Hold, Numbers, Pass, Sink
from tests.oracle import judge

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from swak.recipe import Flow

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),  # that is the attack
    # A shot may land in a weak reference's callback, of threading itself for one, where the interpreter swallows it.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
COUNT, SIZE = 30_000, 50
SHOTS = 300


class Struck(BaseException):
    """What nobody expects."""


def _seat_threads() -> list[threading.Thread]:
    return [
        thread
        for thread in threading.enumerate()
        if thread.name.startswith("swak:") and ":clear:" not in thread.name and thread.name != "swak:main"
    ]


@pytest.mark.parametrize(
    "build",
    [
        lambda one, _two: task(Numbers(COUNT, size=SIZE), Pass(), Hold(), one),
        lambda one, two: task(Numbers(COUNT, size=SIZE), Pass(), failover(one, two)),
        lambda one, _two: task(Numbers(COUNT, size=SIZE), {"**": one}),
    ],
    ids=["buffer", "failover", "by tag"],
)
def test_a_storm_of_deaths_loses_nothing(build: Callable[[Sink, Sink], Flow], tmp_path: Path) -> None:
    rng = random.Random(4)
    one, two = Sink(), Sink()
    deaths = 0
    data_dir = DataDir.resolve(str(tmp_path))
    with running(build(one, two), data_dir=data_dir, deaths_max=10**9, grace_s=60) as run:
        deadline = time.monotonic() + 60
        while deaths < SHOTS and not run.wait(rng.uniform(0, 0.004)):
            assert time.monotonic() < deadline
            threads = _seat_threads()
            if threads:
                deaths += shoot(rng.choice(threads), rng.choice([Struck, SystemExit, MemoryError, KeyboardInterrupt]))
        assert run.wait(60), run.snapshot()
        receipt = run.receipt()
    arrived = one.arrived + two.arrived
    dead = _dead(receipt.dead_letters)
    verdict = judge(range(COUNT), arrived, ordered=not two.arrived)
    assert not set(verdict.lost) - dead, "lost without a dead letter"
    assert not verdict.unexpected
    assert not verdict.reordered
    # One letter for each death: a batch for a seat, at most two batches around a flush for the buffer.
    assert verdict.duplicates <= deaths * 2 * SIZE
    assert receipt.inputs[0].delivered == COUNT
    assert deaths >= 5, "the storm never came"


def _dead(path: str) -> set[int]:
    if not path:
        return set()
    with open(path, encoding="utf-8") as file:  # noqa: PTH123 - a path as the receipt gives it
        return {json.loads(line)["record"]["n"] for line in file}


def test_a_hundred_topologies_leave_nothing_behind() -> None:
    import gc

    import psutil
    import pykka

    process = psutil.Process()

    def one() -> None:
        sink = Sink()
        with running(task(Numbers(20), Pass(), Hold(), sink)):
            pass
        judge(range(20), sink.arrived).assert_right()

    one()
    gc.collect()
    threads, descriptors, actors = threading.active_count(), process.num_fds(), set(pykka.ActorRegistry.get_all())
    for _ in range(100):
        one()
    gc.collect()
    assert threading.active_count() == threads
    assert process.num_fds() == descriptors
    assert not set(pykka.ActorRegistry.get_all()) - actors
