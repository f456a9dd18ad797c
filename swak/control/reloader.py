"""Reloads of a run: one at a time, and of all that are asked for meanwhile, one more with the last recipe."""

from __future__ import annotations

import itertools
import queue
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from swak.errors import ConfigError, Problem
from swak.log import Log
from swak.reloading import outcome
from swak.reloading.changing import Verdict, Wanted
from swak.reloading.difference import Difference, difference
from swak.reloading.loading import load_checked, local_files
from swak.reloading.outcome import Outcome, Reloads
from swak.reloading.sameness import print_of
from swak.topology.graph import Topology

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from swak.actors.running import Run
    from swak.topology.graph import Stage

LOAD_S = 30.0
"""How long a recipe may take to load."""
VERDICT_S = 60.0
"""How long the stages may take to become what they are to be: more than they are given, in the worst case."""
LOOK_S = 0.1

_log = Log("swak.reload")


class Reloader:
    """Loads the recipe again when asked, on a thread of its own, and has the root make the run what it says."""

    def __init__(self, run: Run, path: str | None, load_s: float = LOAD_S) -> None:
        """`path`: of the recipe; None: it was given as text, and is not to be had again."""
        self._run = run
        self.reloads = run.reloads = Reloads()
        self.path = path
        self._load_s = load_s
        self._asked: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._tickets = itertools.count(1)
        self._last = 0
        self._served: tuple[int, Outcome | None] = (0, None)
        self._loading = threading.Lock()
        self._thread = threading.Thread(target=self._serve, name="swak:reload", daemon=True)
        self._thread.start()

    def request(self) -> int:
        """Ask for a reload; return a ticket. A signal handler may do this."""
        self._last = ticket = next(self._tickets)
        self._asked.put(True)
        return ticket

    def close(self) -> None:
        """Serve nobody any more."""
        self._asked.put(False)
        self._thread.join(LOOK_S * 10)

    def outcome_of(self, ticket: int) -> Outcome | None:
        """Return how the reload went that began after this was asked for; None: it is not over."""
        served, found = self._served
        return found if served >= ticket else None

    def plan(self, path: str) -> Difference:
        """Compare what would replace the recipe with what runs. ConfigError says what is wrong with it.

        Blocks while it is loaded.
        """
        with self._loading:
            topology = load_checked(path, self._load_s, instead_of=self.path)
            return self._compare(topology, path)

    def planned(self, path: str) -> dict[str, Any]:
        """Return the same, or what is wrong, as an object."""
        try:
            return outcome.of(self.plan(path), "done").told()
        except Exception as error:  # noqa: BLE001 - whoever asks is told
            problems = [str(one) for one in error.problems] if isinstance(error, ConfigError) else [repr(error)]
            return Outcome("refused", tuple(problems)).told()

    def _serve(self) -> None:
        while self._asked.get():
            ticket = self._last  # whoever asks from here on gets another one
            if ticket <= self._served[0]:
                continue  # it was served with those before it
            over = threading.Event()
            found = self._reload(over)
            self._tell(found)
            self.reloads.note(found)
            self._served = ticket, found
            self._wait(over, self._run.settings.grace_s + VERDICT_S)

    def _reload(self, over: threading.Event) -> Outcome:
        began_s = time.monotonic()
        self.reloads.began += 1
        try:
            found = self._try(over)
        except ConfigError as error:
            over.set()
            found = Outcome("refused", tuple(str(problem) for problem in error.problems))
        except Exception as error:  # noqa: BLE001 - whatever fails, the run goes on as it did, and it is told
            over.set()
            _log.error("a reload fails: a bug in swak, please report it", exc_info=error)
            found = Outcome("refused", (f"{type(error).__name__}: {error}",))
        return found._replace(at_ns=time.time_ns(), took_s=round(time.monotonic() - began_s, 3))

    def _try(self, over: threading.Event) -> Outcome:
        if self.path is None:
            mend = "put it into a file, and start that"
            raise ConfigError([Problem("the recipe was given as text: there is no file to load again", mend)])
        with self._loading:
            found = self._compare(load_checked(self.path, self._load_s), self.path)
        if found.empty:
            over.set()
            return Outcome("unchanged")
        verdicts: queue.SimpleQueue[Verdict] = queue.SimpleQueue()
        told = threading.Event()

        def tell(verdict: Verdict) -> None:
            verdicts.put(verdict)
            told.set()

        self._run.signals.put(Wanted(found, self._run.settings.grace_s, tell, over.set).letter())
        self._wait(told, VERDICT_S)
        if verdicts.empty():
            return outcome.of(found, "rolled_back", "the run is ending, or its stages do not answer")
        verdict = verdicts.get()
        if verdict.trouble:
            return outcome.of(found, "rolled_back", verdict.trouble)
        self._run.topology = found.topology
        return outcome.of(found, "done")._replace(leaving=verdict.leaving)

    def _wait(self, event: threading.Event, timeout_s: float) -> None:
        until_s = time.monotonic() + timeout_s
        finished = self._run.supervisor.finished
        while not event.wait(LOOK_S) and time.monotonic() < until_s and not finished.is_set():
            pass

    def _compare(self, topology: Topology, path: str) -> Difference:
        running = running_topology(self._run)
        local = local_files(path) | (local_files(self.path) if self.path is not None else frozenset())
        found = difference(running, topology, lambda stage: print_of(stage, local), gone(self._run))
        check_kinds(running, found)
        return found

    def _tell(self, found: Outcome) -> None:
        if found.ending == "done":
            lists = {"changed": found.changed, "rewired": found.rewired, "added": found.added, "removed": found.removed}
            _log.info("reloaded", took_s=found.took_s, **{name: list(one) for name, one in lists.items() if one})
        elif found.ending == "unchanged":
            _log.info("reloaded: the recipe asks for nothing else")
        else:
            what = "the stages are what they were" if found.ending == "rolled_back" else "nothing has changed"
            _log.error(f"reload failed; {what}", why="\n".join(found.problems))


def running_topology(run: Run) -> Topology:
    """Return what runs, without what reloads have removed."""
    return Topology(tuple(flow.graph for flow in run.crew.flows if flow.graph.stages))


def gone(run: Run) -> Mapping[str, Sequence[Stage]]:
    """Return stages that reloads have removed, by flow. One that has not left yet is shown as what nothing is like."""
    return {
        flow.name: [
            post.stage if post.lease.over else replace(post.stage, kind="tags", plugin=None, spool=post.stage.plugin)
            for post in flow.posts
            if post.leaving
        ]
        for flow in run.crew.flows
    }


def check_kinds(running: Topology, found: Difference) -> None:
    """Refuse to make a `task` of a `main`, or the other way round. ConfigError names them."""
    kinds = {flow.name: flow.kind for flow in running.flows}
    mend = "restart the agent, or give the flow another name"
    problems = [
        Problem(f"{flow.kind}: {flow.name} runs as a {kinds[flow.name]}", mend, *flow.input.place)
        for flow in found.topology.flows
        if kinds.get(flow.name, flow.kind) != flow.kind
    ]
    if problems:
        raise ConfigError(problems)
