"""A limit on memory under attack: seats die at every line, and threads race while outputs go down and come back."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import swak.budget
from swak import failover, main, out, running, task
from tests.faults import attack
from tests.faults.attack import KINDS, LineShot, shoot
from tests.faults.flow import SIZE, Hold, Pass, Sink
from tests.flows.parts import Bulky, Endless, Valve
from tests.flows.waiting import until, view_of
from tests.oracle import judge

if TYPE_CHECKING:
    from collections.abc import Callable

    from swak import Batch
    from swak.actors.running import Run
    from swak.recipe import Flow

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),  # that is the attack
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),  # a shot in a weak reference
]
MIB = 1024 * 1024
COUNT = 40
STRIDE = 5
RACE_S = 1.0
ROOM_S = 5.0
"""A deadline for a busy machine; without one it takes a hundredth."""


@pytest.mark.parametrize(
    ("build", "thread"),
    [
        (lambda sink: task(Bulky(COUNT), sink), "/Bulky"),
        (lambda sink: task(Bulky(COUNT), sink), "/Sink"),
        (lambda sink: task(Bulky(COUNT), out.TimedBuffer("5M"), sink), "/TimedBuffer"),
        (lambda sink: main(Bulky(COUNT), Hold(), sink), ":main"),
    ],
    ids=["input", "output", "buffer", "main"],
)
def test_a_death_at_any_line_loses_nothing_and_no_memory(
    build: Callable[[Sink], Flow], thread: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attack, "CORE", (*attack.CORE, str(Path(swak.budget.__file__))))
    number, fired = 1, "nothing yet"
    kinds = [kind for kind in KINDS if thread != ":main" or kind is not KeyboardInterrupt]
    while fired:
        sink = Sink()
        shot = LineShot(thread, number, kinds[number % len(kinds)])
        with shot, running(build(sink), grace_s=20, memory_limit=MIB) as run:
            assert run.wait(20), f"stuck after shot {number} at {shot.fired}: {run.snapshot()}"
        fired = shot.fired
        judge(range(COUNT), sink.arrived).assert_right(duplicates_max=COUNT if "Buffer" in thread else 7 + SIZE)
        assert not any(post.share.waits or post.share.entering_bytes for post in run.crew.posts), fired
        number += STRIDE * (2 if thread == ":main" else 1)
    assert number > 50, "the attack never reached the stage"


def _flapping(valves: list[Valve], run: Run, rng: random.Random, *, deaths: bool) -> None:
    """Shut and open valves, and kill seats, for a while; leave all valves open."""
    until_s = time.monotonic() + RACE_S
    while time.monotonic() < until_s and not run.wait(rng.uniform(0, 0.02)):
        valve = rng.choice(valves)
        valve.is_open.clear() if valve.is_open.is_set() else valve.is_open.set()
        seats = [one for one in threading.enumerate() if one.name.startswith("swak:") and one.name.count("/") == 1]
        if deaths and seats and rng.random() < 0.2:
            shoot(rng.choice(seats), RuntimeError)
    for valve in valves:
        valve.is_open.set()


@pytest.mark.parametrize("deaths", [False, True], ids=["flapping", "dying"])
@pytest.mark.parametrize("kind", ["task", "main"])
def test_tasks_that_share_a_limit_all_get_on_when_their_outputs_are_back(
    kind: str, deaths: bool, tmp_path: Path
) -> None:
    if kind == "main" and deaths:
        pytest.skip("main's seats have no threads to hit")
    declare, valves, count = task if kind == "task" else main, [Valve() for _ in range(5)], 8_000
    flows = [
        declare(Bulky(count), Pass(), [valves[0], out.TimedBuffer("5M") | valves[1]], name="fan"),
        declare(Bulky(count), out.SizedBuffer(90), failover(valves[2], valves[3]), name="over"),
        declare(Bulky(count), out.DiskBuffer(str(tmp_path), fsync="20ms"), valves[4], name="spool"),
    ]
    with running(flows, memory_limit=4 * MIB, deaths_max=10**9, grace_s=60) as run:
        _flapping(valves, run, random.Random(5), deaths=deaths)
        assert run.wait(60), run.snapshot()
    for sinks in ([0], [1], [2, 3], [4]):
        arrived = [number for one in sinks for number in valves[one].arrived]
        assert set(arrived) == set(range(count))


def test_a_buffer_that_sleeps_is_woken_when_its_input_waits() -> None:
    sink = Sink()
    with running(task(Endless(400), out.TimedBuffer("5M"), sink), memory_limit=MIB) as run:
        took_s = until(lambda: len(sink.arrived) > 380, lambda: run.snapshot())  # noqa: PLW0108 - told when it is late
        assert took_s < ROOM_S
        run.stop()


def test_soon_after_the_output_is_back_the_input_reads_on() -> None:
    gate = threading.Event()
    writes = threading.Semaphore(0)

    class Gate(Sink):
        """Writes when it is let."""

        hang_after_s = 1e6

        def write(self, batch: Batch) -> None:
            del batch
            writes.release()
            gate.wait()

    with running(task(Endless(4_000), Pass(), Gate()), memory_limit=MIB) as run:
        assert writes.acquire(timeout=20)
        until(lambda: view_of(run, "Endless").memory, lambda: run.snapshot())  # noqa: PLW0108 - told when it is late
        before = view_of(run, "Endless").tally.out
        gate.set()
        took_s = until(lambda: view_of(run, "Endless").tally.out > before, "the input reads on")
        print(f"the input read on after {took_s:.3f} s")  # noqa: T201 - a figure, for -s
        assert took_s < ROOM_S
