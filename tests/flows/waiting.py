"""Waiting with a deadline, and looking at a run all the time from a thread of its own."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable

    from swak.actors.running import Run
    from swak.stats import StageView

WAIT_S = 20.0
"""How long something may take that must happen. Long, because a busy machine is no failure."""
LOOK_S = 0.005


def until(condition: Callable[[], object], what: str | Callable[[], object], timeout_s: float = WAIT_S) -> float:
    """Wait until `condition` holds and return how many seconds that took. Fails after `timeout_s`."""
    began = time.monotonic()
    pause = threading.Event()
    while not condition():
        passed_s = time.monotonic() - began
        assert passed_s < timeout_s, f"not within {timeout_s:g} s: {what() if callable(what) else what}"
        pause.wait(LOOK_S)
    return time.monotonic() - began


def view_of(run: Run, stage: str) -> StageView:
    return next(view for view in run.snapshot() if view.stage == stage)


class Sampler:
    """Takes snapshots of a run as fast as it can and keeps what `check` finds wrong with one."""

    def __init__(self, run: Run, check: Callable[[StageView], str]) -> None:
        self.run = run
        self.check = check
        self.samples = 0
        self.wrong: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="sampler", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(WAIT_S)

    def _sample(self) -> None:
        while not self._stop.wait(0.001):
            for view in self.run.snapshot():
                found = self.check(view)
                if found:
                    self.wrong.append(f"{view.stage}: {found}")
            self.samples += 1

    def assert_right(self) -> None:
        """Fail with what was wrong, or when there was hardly a look."""
        assert not self.wrong, self.wrong[:10]
        assert self.samples > 10, "the run was hardly looked at"
