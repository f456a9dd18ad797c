"""One worker process as the agent sees it."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from swak.workers.child import Child, relay
from swak.workers.orders import written
from swak.workers.wire import Frame
from tests.flows.waiting import until
from tests.workers.filters import Pid, Unopenable

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="workers need sockets that can be inherited")


class Running:
    """A worker, what it said, and whether it is lost."""

    def __init__(self, *filters: tuple[str, Pid | Unopenable]) -> None:
        hello = Frame("hello", (sys.path, written(filters), {"stage": "a/B"}, 30, False))
        self.heard: list[Frame] = []
        self.lost = threading.Event()
        self.child = Child(
            "worker 1", "a/B", hello, lambda _, frame: self.heard.append(frame), lambda _: self.lost.set()
        )

    def __enter__(self) -> Child:
        self.child.start()
        assert self.child.ready.wait(20)
        return self.child

    def __exit__(self, *_: object) -> None:
        closed(self.child)


def closed(child: Child, *, now: bool = False) -> None:
    child.end(now=now)
    child.close()


@pytest.fixture
def one() -> Iterator[Running]:
    running = Running(("Pid", Pid()))
    with running:
        yield running


def pid_of(child: Child) -> int:
    assert child._process is not None
    return child._process.pid


def test_it_ends_when_it_is_closed_and_leaves_no_zombie() -> None:
    with Running(("Pid", Pid())) as child:
        pid = pid_of(child)
        assert psutil.pid_exists(pid)
        assert str(pid) in child.name
        assert psutil.Process(pid).cmdline()[-1] == "swak worker 1 of a/B"
    assert not psutil.pid_exists(pid)
    assert not [thread for thread in threading.enumerate() if "worker 1" in thread.name]


def test_a_worker_that_was_never_started_can_be_closed() -> None:
    closed(Child("worker 1", "a/B", Frame("hello"), lambda *_: None, lambda _: None), now=True)


def test_closing_twice_is_no_error(one: Running) -> None:
    closed(one.child)
    closed(one.child, now=True)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_it_tells_by_which_signal_it_was_ended(one: Running, number: signal.Signals) -> None:
    os.kill(pid_of(one.child), number)
    assert one.lost.wait(20)
    assert one.child.why == f"was ended by {number.name}"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_for_whole_groups_do_not_end_it(one: Running, number: signal.Signals) -> None:
    process = psutil.Process(pid_of(one.child))
    os.kill(process.pid, number)
    os.kill(process.pid, number)
    assert not one.lost.wait(0.2)
    assert process.is_running()


def test_signals_do_not_end_it_while_it_starts_either() -> None:
    running = Running(("Pid", Pid()))
    running.child.start()
    os.kill(pid_of(running.child), signal.SIGINT)
    os.kill(pid_of(running.child), signal.SIGTERM)
    assert running.child.ready.wait(20)
    assert running.child.why == ""
    closed(running.child)


def test_one_that_stands_still_is_killed_in_the_end(one: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    from swak.workers import child

    monkeypatch.setattr(child, "CLOSE_S", 0.1)
    os.kill(pid_of(one.child), signal.SIGSTOP)
    closed(one.child)
    assert not psutil.pid_exists(pid_of(one.child))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux shows another process' descriptors")
def test_it_inherits_no_descriptor_but_its_socket_and_stderr() -> None:
    kept, other = os.pipe()
    os.set_inheritable(other, True)
    with Running(("Pid", Pid())) as child:
        links = [str(fd.readlink()) for fd in Path(f"/proc/{pid_of(child)}/fd").iterdir()]
    assert len([link for link in links if link.startswith("socket:")]) == 1
    assert f"pipe:[{os.fstat(other).st_ino}]" not in links
    os.close(kept)
    os.close(other)


def test_a_filter_that_cannot_be_opened_is_told() -> None:
    running = Running(("Unopenable", Unopenable()))
    with running as child:
        assert running.lost.wait(20)
        assert child.why == "ValueError: a programming error"


def test_a_line_of_its_log_is_told_as_ours_where_that_level_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "swak"):
        relay("swak.plugins", 20, "text", {"swak_event": "event", "swak_fields": {"n": 1}})
        relay("swak.plugins", 10, "not this", {"swak_event": "event", "swak_fields": {}})
    assert [record.getMessage() for record in caplog.records] == ["text"]
    assert caplog.records[0].__dict__["swak_fields"] == {"n": 1}


def test_what_it_is_given_waits_for_no_room(one: Running) -> None:
    os.kill(pid_of(one.child), signal.SIGSTOP)
    from swak.narrowing import Piece, Suspects
    from swak.testing import batch_of, event
    from swak.workers.child import Job
    from swak.workers.wire import pack_batch

    batch = batch_of([event({"n": 0, "text": "x" * 5_000_000})])
    for number in (1, 2):
        one.child.give(Job(number, Piece(batch, Suspects()), pack_batch(batch)))
    assert len(one.child.jobs) == 2
    os.kill(pid_of(one.child), signal.SIGCONT)
    until(lambda: len(one.heard) == 2, "both are answered")
    assert [frame.values[0] for frame in one.heard] == [1, 2]
