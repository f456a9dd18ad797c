"""A seat dies at every line of what a reload asks of it: the reload ends, one way or the other, and nothing is lost."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Self

import pytest

from swak import Event, Filter, failover, option, running, task
from swak.errors import EndOfInput
from tests.faults.attack import KINDS, LineShot
from tests.faults.flow import SIZE, Hold, Numbers, Sink
from tests.flows.waiting import WAIT_S
from tests.oracle import judge
from tests.reloads import reload

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from swak.event import Chunk
    from swak.recipe import Flow

    Build = Callable[[Numbers, list[Sink]], tuple[Flow, Flow]]

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),  # that is the attack
]
COUNT = 40
HALF = COUNT // 2
LINES_MAX = 400
"""A thread is hit at each of so many lines after the reload began: what it asks of a seat takes fewer."""


class Halves(Numbers):
    """Hands out the second half when it may."""

    def __init__(self, *values: Any, **named: Any) -> None:
        super().__init__(*values, **named)
        self.may = threading.Event()
        self.at_half = threading.Event()

    def fresh(self) -> Self:
        made = super().fresh()
        made.may, made.at_half = self.may, self.at_half
        return made

    def read(self) -> Chunk | None:
        if self._next >= HALF:
            self.at_half.set()
            if not self.may.is_set():
                self.may.wait(0.01)
                return None
        if self._next >= self.count:
            raise EndOfInput
        return super().read()


class Other(Filter):
    """Passes every event on."""

    number: int = option("Tells it from others.", default=0)

    def process(self, event: Event) -> Event:
        return event


class Armed(LineShot):
    """Counts lines once it is armed."""

    armed = False

    def _on_line(self, frame: FrameType, event: str, arg: Any) -> Any:
        return super()._on_line(frame, event, arg) if self.armed else self._on_line


class Sink2(Sink):
    """Another class of the same."""


CASES: dict[str, tuple[Build, str]] = {
    "a filter gets an output more": (
        lambda source, sinks: (
            task(source, Other(), sinks[0], name="t"),
            task(source, Other(), [sinks[0], sinks[1]], name="t"),
        ),
        "/Other",
    ),
    "an input gets an output more": (
        lambda source, sinks: (task(source, sinks[0], name="t"), task(source, [sinks[0], sinks[1]], name="t")),
        "/Halves",
    ),
    "a filter loses an output": (
        lambda source, sinks: (
            task(source, Other(), [sinks[0], sinks[1]], name="t"),
            task(source, Other(), sinks[0], name="t"),
        ),
        "/Other",
    ),
    "a filter changes": (
        lambda source, sinks: (
            task(source, Other(1), sinks[0], name="t"),
            task(source, Other(2), sinks[0], name="t"),
        ),
        "/Other",
    ),
    "an input changes": (
        lambda source, sinks: (task(source, sinks[0], name="t"), task(_bigger(source), sinks[0], name="t")),
        "/Halves",
    ),
    "a filter is put in between": (
        lambda source, sinks: (
            task(source, Other(), sinks[0], name="t"),
            task(source, Other(), Other(2), sinks[0], name="t"),
        ),
        "/Other",
    ),
    "a filter goes": (
        lambda source, sinks: (
            task(source, Other(), Other(2), sinks[0], name="t"),
            task(source, Other(), sinks[0], name="t"),
        ),
        "/Other-2",
    ),
    "a tags stage changes": (
        lambda source, sinks: (
            task(source, {"**": sinks[0]}, name="t"),
            task(source, {"t0": sinks[0], "nobody": Sink2(), "t1": sinks[0].fresh()}, name="t"),
        ),
        "/ByTag",
    ),
    "a buffer changes": (
        lambda source, sinks: (
            task(source, Hold(), sinks[0], name="t"),
            task(source, Hold(), [sinks[0], sinks[1]], name="t"),
        ),
        "/Hold",
    ),
    "a failover changes": (
        lambda source, sinks: (
            task(source, failover(sinks[0]), name="t"),
            task(source, failover(sinks[0], Sink2()), name="t"),
        ),
        "/Failover",
    ),
}


def _bigger(source: Numbers) -> Numbers:
    made = source.fresh()
    made.size = SIZE + 1
    made.options_given["size"] = SIZE + 1
    return made


@pytest.mark.parametrize(("build", "thread"), CASES.values(), ids=list(CASES))
def test_a_death_at_any_line_of_a_reload_loses_nothing(build: Build, thread: str) -> None:
    fired = True
    number = 0
    while fired and number < LINES_MAX:
        number += 1 if number < 80 else 7
        fired = _one_run(build, thread, number)
    assert number > 20, "the attack never reached the stage"


def _one_run(build: Build, thread: str, number: int) -> bool:
    source, sinks = Halves(COUNT), [Sink(), Sink()]
    before, after = build(source, sinks)
    kind = KINDS[number % len(KINDS)]
    with Armed(thread, number, kind) as shot, running(before, grace_s=20, deaths_max=50) as run:
        assert source.at_half.wait(WAIT_S)
        shot.armed = True
        change = reload(run, after, leave_s=10)
        verdict = change.wait()
        source.may.set()
        assert run.wait(WAIT_S), f"stuck after shot {number} at {shot.fired}: {run.snapshot()}"
    try:
        judge(range(COUNT), sinks[0].arrived, ordered=False).assert_right(duplicates_max=3 * SIZE)
        receipt = run.receipt()
        assert receipt.inputs[0].delivered == COUNT
        assert [view.tally.unaccounted() for view in receipt.stages] == [0] * len(receipt.stages)
        if sinks[1].arrived and not verdict.trouble and not change.found.removed:
            judge(range(HALF, COUNT), [one for one in sinks[1].arrived if one >= HALF], ordered=False).assert_right(
                duplicates_max=3 * SIZE
            )
    except AssertionError as error:
        raise AssertionError(f"shot {number} at {shot.fired}, {verdict}: {error}") from error
    return bool(shot.fired)
