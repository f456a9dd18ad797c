"""Reloads of a run inside the test's process: the difference is made and handed to the root, as a reload does."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from swak.control.reloader import gone, running_topology
from swak.ledger import shortages
from swak.recipe import Recipe
from swak.reloading.changing import Verdict, Wanted
from swak.reloading.difference import Difference, difference
from swak.reloading.sameness import print_of
from swak.topology.compile import compile_recipe
from tests.flows.waiting import WAIT_S

if TYPE_CHECKING:
    from swak.actors.running import Run
    from swak.recipe import Flow


class Reload:
    """One reload under way."""

    def __init__(self, run: Run, found: Difference, leave_s: float) -> None:
        self.found = found
        self._verdicts: list[Verdict] = []
        self._told, self._over = threading.Event(), threading.Event()
        run.signals.put(Wanted(found, leave_s, self._tell, self._over.set).letter())

    def _tell(self, verdict: Verdict) -> None:
        self._verdicts.append(verdict)
        self._told.set()

    @property
    def verdict(self) -> Verdict:
        """What became of it; waits for that."""
        assert self._told.wait(WAIT_S), "the reload was not told of"
        return self._verdicts[0]

    def wait(self) -> Verdict:
        """Wait until removed stages have left, too."""
        verdict = self.verdict
        assert self._over.wait(WAIT_S), "the reload was not over"
        return verdict


def compare(run: Run, *flows: Flow) -> Difference:
    wanted = compile_recipe(Recipe(flows, "test.py"))
    return difference(running_topology(run), wanted, print_of, gone(run))


def reload(run: Run, *flows: Flow, leave_s: float = 5.0) -> Reload:
    """Make the run what these flows say."""
    return Reload(run, compare(run, *flows), leave_s)


def names(keys: Any) -> set[str]:
    return {f"{flow}/{stage}" for flow, stage in keys}


def assert_accounted_for(run: Run) -> None:
    """Fail with every event that nobody knows where it is."""
    assert not shortages(run.receipt().stages), shortages(run.receipt().stages)
