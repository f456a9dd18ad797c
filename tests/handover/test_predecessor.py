from __future__ import annotations

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from swak.handover.predecessor import Attempt, Handover, Successor
from swak.sockets.kept import Keep
from tests.flows.waiting import WAIT_S
from tests.house import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sockets go to other processes on POSIX only")

RECIPE = ["-e", "in_.Memory([], follow=True) | out.Null()", "--ephemeral", "-q"]


class Run:
    """A run, as far as a handover knows one."""

    def __init__(self) -> None:
        self.forced_by: int | None = None
        self.stopped = threading.Event()

    @property
    def draining(self) -> bool:
        return self.stopped.is_set()

    def stop(self, *, now: bool = False, signal: int | None = None, handing: bool = False) -> None:
        assert (now, signal, handing) == (False, None, True)
        self.stopped.set()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SWAK_HOME", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return tmp_path


def asked(handover: Handover) -> Attempt:
    attempt = handover.ask()
    assert attempt.decided.wait(WAIT_S * 2)
    return attempt


def starting(folder: Path, *arguments: str) -> Successor:
    return Successor(arguments, str(folder), own_session=True)


def handed(folder: Path, notify: Callable[[str], None] = print) -> tuple[Handover, Run, Attempt]:
    """Have a new process take over from a run, and return once that run has stopped."""
    handover, run = Handover(Keep(), lambda: starting(folder, *RECIPE), "", notify), Run()
    handover.begin(run)
    attempt = asked(handover)
    assert run.stopped.wait(WAIT_S)
    handover.keep.handing = True
    return handover, run, attempt


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_what_is_in_the_way_is_told_and_nothing_started(tmp_path: Path) -> None:
    handover = Handover(Keep(), lambda: starting(tmp_path), "in the way", print)
    handover.begin(Run())
    assert asked(handover).refusal == "in the way"
    handover.end()


def test_a_run_that_ends_is_not_handed_over(tmp_path: Path) -> None:
    handover, run = Handover(Keep(), lambda: starting(tmp_path), "", print), Run()
    run.stopped.set()
    handover.begin(run)
    assert asked(handover).refusal == "it is ending already"
    handover.end()


def test_a_new_process_that_finds_something_wrong_is_quoted(tmp_path: Path) -> None:
    handover, run = Handover(Keep(), lambda: starting(tmp_path, "-e", "in_.Nothing() | out.Null()"), "", print), Run()
    handover.begin(run)
    assert "Nothing" in asked(handover).refusal
    assert not run.draining
    assert not handover.goes_on()
    handover.end()


def test_a_new_process_that_ends_at_once_is_named_by_its_exit_code(tmp_path: Path) -> None:
    handover = Handover(Keep(), lambda: starting(tmp_path, "--no-such-option"), "", print)
    handover.begin(Run())
    assert asked(handover).refusal == "the new process has ended with exit code 2; its log says why"
    handover.end()


def test_when_no_process_is_to_be_had_the_run_goes_on(tmp_path: Path) -> None:
    run = Run()
    handover = Handover(Keep(), lambda: starting(tmp_path / "missing"), "", print)
    handover.begin(run)
    assert "no new process can be started" in asked(handover).refusal
    assert not run.draining
    handover.end()


def test_the_new_process_is_told_to_the_service_before_it_begins(tmp_path: Path) -> None:
    told: list[str] = []
    handover, _, attempt = handed(tmp_path, told.append)
    assert not handover.goes_on()
    assert told == ["WATCHDOG=1", f"MAINPID={attempt.pid}\nWATCHDOG=1"]
    handover.end()
    os.kill(attempt.pid, signal.SIGKILL)
    os.waitpid(attempt.pid, 0)  # it was let go: nobody else waits for it


def test_a_run_that_was_ended_by_force_has_no_successor(tmp_path: Path) -> None:
    handover, run, attempt = handed(tmp_path)
    run.forced_by = signal.SIGTERM
    assert not handover.goes_on()
    assert gone(attempt.pid)
    handover.end()


def test_a_new_process_that_dies_is_taken_back_from(tmp_path: Path) -> None:
    handover, _, attempt = handed(tmp_path)
    os.kill(attempt.pid, signal.SIGKILL)
    assert handover.goes_on()
    assert handover.failed["attempt"] == attempt.number
    handover.begin(Run())
    assert not handover.keep.handing
    handover.end()
