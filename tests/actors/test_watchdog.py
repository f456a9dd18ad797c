"""A call that holds the interpreter's lock ends the process with a traceback; a stopped process lives on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="counts CPU time by an interval timer")

SCRIPT = """
import re, sys, threading, time
from swak.actors.watchdog import Watchdog
dog = Watchdog(enabled=True, limit_s=0.5)
stop = threading.Event()
def rounds():
    while not stop.is_set():
        dog.arm()
        stop.wait(0.05)
thread = threading.Thread(target=rounds, daemon=True)
thread.start()
print("ready", flush=True)
if sys.argv[1] == "backtrack":
    re.match(r"(a+)+$", "a" * 64 + "b")
sys.stdin.readline()
stop.set()
thread.join()
dog.disarm()
"""


def _start(what: str) -> subprocess.Popen[bytes]:
    child = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, what], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"ready\n"
    return child


def test_a_backtracking_expression_ends_the_process_with_a_traceback() -> None:
    child = _start("backtrack")
    _, errors = child.communicate(timeout=30)
    assert child.returncode == -signal.SIGPROF
    assert b"in match" in errors


def test_a_process_that_was_stopped_wakes_up_alive() -> None:
    child = _start("idle")
    os.kill(child.pid, signal.SIGSTOP)
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(1.5)  # stopped for longer than the limit
    os.kill(child.pid, signal.SIGCONT)
    child.communicate(b"\n", timeout=30)
    assert child.returncode == 0
