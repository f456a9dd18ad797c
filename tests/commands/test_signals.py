from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from swak import in_, out, task
from swak.actors.running import running
from swak.commands.signals import TABLE, Lanes, Steered
from tests.flows.agent import ENDLESS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

BUFFERED = f'{ENDLESS}\ntask(Endless(), out.TimedBuffer("5M"), out.File("out.txt"), name="web")\n'

STUCK = """
import time
from swak import Event, Input, main, out

class Stuck(Input):
    '''Hangs.'''
    def read(self):
        print("stuck", flush=True)
        time.sleep(600)

main(Stuck(), out.Null())
"""

Start = "Callable[..., Agent]"


class Agent:
    """`swak up` as a process, with what it prints."""

    def __init__(self, command: list[str], stderr: int = subprocess.PIPE) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=stderr, stderr=subprocess.STDOUT, start_new_session=True
        )
        self.told = b""

    def read_until(self, *texts: bytes, source: int | None = None) -> bytes:
        """Read until each of `texts` has come up, within 20 s."""
        until = time.monotonic() + 20
        while not all(text in self.told for text in texts):
            left_s = until - time.monotonic()
            assert left_s > 0, f"{texts!r} never came up in {self.told[-2000:]!r}"
            if source is None:
                assert self.process.stdout is not None
                source = self.process.stdout.fileno()
            ready, _, _ = select.select([source], [], [], left_s)
            self.told += os.read(source, 65_536) if ready else b""
        return self.told

    def signal(self, number: int) -> None:
        """Send a signal, and forget what was printed until now."""
        self.told = b""
        self.process.send_signal(number)


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Agent]]:
    """Start agents in a directory of their own, with these words before `swak up`."""
    monkeypatch.setenv("SWAK_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "endless.py").write_text(BUFFERED)
    (tmp_path / "stuck.py").write_text(STUCK)
    made: list[Agent] = []

    def begin(*arguments: str, before: tuple[str, ...] = (), stderr: int = subprocess.PIPE) -> Agent:
        made.append(Agent([*before, sys.executable, "-m", "swak", "up", *arguments], stderr))
        return made[-1]

    yield begin
    for agent in made:
        agent.process.kill()
        agent.process.wait(20)
        if agent.process.stdout is not None:
            agent.process.stdout.close()


def test_quit_tells_where_every_stage_is_and_stops_at_once(start: Callable[..., Agent]) -> None:
    agent = start("endless.py")
    agent.read_until(b"running")
    agent.signal(signal.SIGQUIT)
    told = agent.read_until(b"stage=web/Endless", b"stage=web/TimedBuffer", b"stage=web/File", b"thread=MainThread")
    assert b"in _actor_loop" in told
    assert agent.process.wait(20) == 128 + signal.SIGQUIT


def test_quit_ends_a_process_that_hangs(start: Callable[..., Agent]) -> None:
    agent = start("stuck.py", "-q")
    agent.read_until(b"stuck")
    agent.signal(signal.SIGQUIT)
    assert b"time.sleep(600)" in agent.read_until(b"thread=MainThread")
    assert agent.process.wait(20) == 128 + signal.SIGQUIT


def test_quit_ends_a_process_whose_log_nobody_reads(start: Callable[..., Agent]) -> None:
    reads, writes = os.pipe()
    try:
        agent = start("endless.py", stderr=writes)
        agent.read_until(b"running", source=reads)
        os.set_blocking(writes, False)
        with contextlib.suppress(BlockingIOError):  # the pipe is full then
            while True:
                os.write(writes, b"x" * 4096)
        os.set_blocking(writes, True)
        agent.signal(signal.SIGQUIT)
        assert agent.process.wait(20) == 128 + signal.SIGQUIT
    finally:
        os.close(reads)
        os.close(writes)


def test_usr1_lets_go_what_buffers_hold(start: Callable[..., Agent], tmp_path: Path) -> None:
    agent = start("endless.py")
    agent.read_until(b"running")
    assert not (tmp_path / "out.txt").read_bytes()
    agent.signal(signal.SIGUSR1)
    agent.read_until(b"flushed")
    assert (tmp_path / "out.txt").read_bytes().startswith(b'{"message":"x"}\n')


def test_cont_tells_the_state_in_the_log(start: Callable[..., Agent]) -> None:
    agent = start("endless.py")
    agent.read_until(b"running")
    agent.signal(signal.SIGCONT)
    told = agent.read_until(b"stage=web/Endless", b"stage=web/TimedBuffer", b"stage=web/File")
    assert b"state=running events=" in told
    assert agent.process.poll() is None


def test_cont_after_a_signal_that_ends_the_run_tells_nothing(start: Callable[..., Agent]) -> None:
    agent = start("endless.py")
    agent.read_until(b"running")
    agent.process.send_signal(signal.SIGSTOP)  # so that both come at once, as service managers send them
    agent.signal(signal.SIGTERM)
    agent.process.send_signal(signal.SIGCONT)
    assert b"state of a stage" not in agent.read_until(b"clean")
    assert agent.process.wait(20) == 0


def test_a_live_view_that_was_suspended_is_drawn_anew_and_nothing_else(
    start: Callable[..., Agent], monkeypatch: pytest.MonkeyPatch
) -> None:
    import pty

    monkeypatch.setenv("TERM", "xterm")
    ours, its = pty.openpty()
    try:
        agent = start("endless.py", stderr=its)
        agent.read_until(b"Endless", source=ours)
        agent.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, agent.process.pid, os.WSTOPPED)
        agent.signal(signal.SIGCONT)
        told = agent.read_until(b"\x1b[2J", b"Endless", source=ours)
        agent.signal(signal.SIGTERM)
        told += agent.read_until(b"clean", source=ours)
        assert agent.process.wait(20) == 0
        assert b"state of a stage" not in told
    finally:
        os.close(ours)
        os.close(its)


@pytest.mark.parametrize("name", ["HUP", "QUIT", "USR1", "TERM"])
def test_what_is_ignored_when_it_starts_stays_ignored(start: Callable[..., Agent], name: str) -> None:
    agent = start("endless.py", before=("sh", "-c", f"trap '' {name}; exec \"$@\"", "sh"))
    agent.read_until(b"running")
    agent.signal(getattr(signal, f"SIG{name}"))
    agent.process.send_signal(signal.SIGCONT)  # what is told next, if nothing was told of the other one
    assert agent.read_until(b"stage=web/File").count(b"\n") <= 4
    assert agent.process.poll() is None


def test_a_signal_that_comes_again_while_it_is_served_is_served_once_more() -> None:
    began, goes_on, served = threading.Semaphore(0), threading.Event(), []

    def act(_to: Steered) -> None:
        served.append(1)
        began.release()
        assert goes_on.wait(20)

    with running(task(in_.Memory(["a"]), out.Memory())) as run:
        lanes = Lanes(Steered(run, None), {10: act})
        lanes.start()
        lanes.writes.send(bytes([10]))
        assert began.acquire(timeout=20)
        lanes.writes.send(bytes([10] * 50))
        lanes.stop()
        goes_on.set()
        assert began.acquire(timeout=20)
        assert not began.acquire(timeout=0.05)
    assert len(served) == 2


def test_an_act_that_fails_is_told_and_the_next_signal_is_served(caplog: pytest.LogCaptureFixture) -> None:
    begun = threading.Semaphore(0)

    def act(_to: Steered) -> None:
        begun.release()
        raise ValueError("nothing")

    with running(task(in_.Memory(["a"]), out.Memory())) as run:
        lanes = Lanes(Steered(run, None), {10: act})
        lanes.start()
        for _ in range(2):
            lanes.writes.send(bytes([10]))
            assert begun.acquire(timeout=20)
        lanes.stop()
    assert "a signal could not be served" in caplog.text


def test_every_name_in_the_table_is_a_signals() -> None:
    assert all(name.startswith("SIG") for name in TABLE)
