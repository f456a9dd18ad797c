"""Children whose cost is counted."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from swak.bench import child as module
from swak.bench.child import Child, free_port, listens, no_room
from swak.bench.faults import BenchError
from swak.errors import StateError
from tests.bench.parts import WAITING, program

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not hasattr(os, "wait4"), reason="counts the CPU time of a child by wait4")


def test_cpu_time_and_memory_are_counted(tmp_path: Path) -> None:
    with Child(program("sum(range(3_000_000))"), tmp_path / "log") as child:
        cost = child.cost()
    assert 0.01 < cost.cpu_s < 20
    assert cost.wall_s > 0
    assert cost.rss_mb > 5


def test_standard_output_goes_where_it_is_wanted(tmp_path: Path) -> None:
    with Child(program("print('hello')"), tmp_path / "log", tmp_path / "out") as child:
        child.cost()
    assert (tmp_path / "out").read_text() == "hello\n"


def test_a_child_that_fails_is_told_with_what_it_said(tmp_path: Path) -> None:
    with (
        Child(program("import sys; sys.exit('no such thing')"), tmp_path / "log") as child,
        pytest.raises(BenchError, match=r"(?s)exit code 1.*no such thing"),
    ):
        child.cost()


def test_a_child_that_ends_too_early_is_told(tmp_path: Path) -> None:
    with Child(program("pass"), tmp_path / "log") as child, pytest.raises(BenchError, match="ended before it listens"):
        child.await_("it listens", lambda: False)


def test_a_child_that_does_not_get_on_is_told_and_killed(tmp_path: Path) -> None:
    with Child(WAITING, tmp_path / "log", limit_s=0.05) as child, pytest.raises(BenchError, match="still waiting"):
        child.cost()
    assert not psutil.pid_exists(child.pid)


def test_an_interrupt_in_the_middle_of_the_start_kills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started, begun = [], threading.Event()

    class Slow(subprocess.Popen[bytes]):
        """Is interrupted when there is a process and nobody knows its number yet."""

        def __init__(self, *arguments: Any, **settings: Any) -> None:
            super().__init__(*arguments, **settings)
            started.append(self.pid)
            signal.raise_signal(signal.SIGINT)
            begun.wait(0.2)

    monkeypatch.setattr("swak.bench.child.subprocess.Popen", Slow)
    with pytest.raises(KeyboardInterrupt), Child(WAITING, tmp_path / "log"):
        pass
    assert [psutil.pid_exists(pid) for pid in started] == [False]


def test_leaving_the_block_by_an_error_kills(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), Child(WAITING, tmp_path / "log") as child:
        raise KeyboardInterrupt
    assert not psutil.pid_exists(child.pid)


def test_a_child_that_is_asked_to_end_may_end_by_the_signal(tmp_path: Path) -> None:
    with Child(WAITING, tmp_path / "log") as child:
        child.await_("it is ready", lambda: "ready" in child.said(), 20)
        assert child.stop().cpu_s > 0


def test_a_child_that_only_waits_is_quiet(tmp_path: Path) -> None:
    with Child(WAITING, tmp_path / "log") as child:
        child.await_("it is ready", lambda: "ready" in child.said(), 20)
        child.await_("it is quiet", child.quiet(0.05), 20)


def test_a_disk_that_fills_up_ends_the_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROOM_BYTES", 2**80)
    with Child(WAITING, tmp_path / "log") as child, pytest.raises(StateError, match=r"no room.*TMPDIR"):
        child.cost()


def test_no_room_says_how_much_is_needed(tmp_path: Path) -> None:
    assert "2,000 MB are needed" in str(no_room(tmp_path, 2 * 10**9))


def test_nobody_listens_on_a_free_port() -> None:
    assert not listens(free_port())
