"""A hundred times more than the output takes: memory stays flat, and what could not be taken is counted."""

from __future__ import annotations

import re
import signal
import socket
import sys
import threading
import time
from typing import TYPE_CHECKING

import psutil
import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flows.agent import Agent
    from tests.flows.conftest import Start

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

TAKES = 500
"""Events a second that the output takes."""
BURST_S = 2.5
"""How long a hundred times as many come."""
SENT = int(100 * TAKES * BURST_S)
FLAT_MB = 6
"""What memory may grow by once everything in front of the output is full."""
LIMITED_MB = 24
"""What it may grow by at all below a limit of 4 MiB of events: stages work on copies, and datagrams are read a MiB at a
time."""
OUTPUT = f"""
import threading
from swak import Output

class Slow(Output):
    \"\"\"Takes {TAKES} events a second.\"\"\"

    def write(self, batch):
        threading.Event().wait(batch.count / {TAKES})
"""
SOURCES = {
    "udp": "in_.Udp(0, host_field=None)",
    "tcp": "in_.Tcp(0, host_field=None)",
    "generator": "in_.Counter()",
}


def port_of(agent: Agent) -> int:
    agent.wait_until_told("listening")
    found = re.search(r"address=\S*?:(\d+)", agent.log)
    assert found, agent.log
    return int(found[1])


def send_datagrams(port: int) -> None:
    """Send at an even pace, SENT datagrams in BURST_S."""
    pause, began = threading.Event(), time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for number in range(SENT):
            sock.sendto(b"%08d %s" % (number, b"x" * 150), ("127.0.0.1", port))
            ahead_s = BURST_S * number / SENT - (time.monotonic() - began)
            if number % 500 == 0 and ahead_s > 0:
                pause.wait(ahead_s)


def send_lines(port: int) -> None:
    """Send what the agent takes in that time; the rest waits here."""
    until_s = time.monotonic() + BURST_S
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.settimeout(0.1)
        while time.monotonic() < until_s:
            try:
                sock.sendall((b"x" * 150 + b"\n") * 500)
            except TimeoutError:  # the agent makes it wait, as it should
                threading.Event().wait(0.05)


def burst(kind: str, agent: Agent) -> list[float]:
    """Let the burst come; return the resident memory (MiB) before, and twenty times a second meanwhile."""
    process, levels = psutil.Process(agent.pid), list[float]()
    if kind == "generator":
        agent.wait_until_told("running")
        sender = threading.Thread(target=threading.Event().wait, args=(BURST_S,))
    else:
        send = send_datagrams if kind == "udp" else send_lines
        sender = threading.Thread(target=send, args=(port_of(agent),))
    levels.append(process.memory_info().rss / 2**20)
    sender.start()
    while sender.is_alive():
        sender.join(0.05)
        levels.append(process.memory_info().rss / 2**20)
    return levels


@pytest.mark.parametrize("limit", ["", "4MiB"], ids=["no limit", "limit"])
@pytest.mark.parametrize("kind", SOURCES)
def test_a_burst_leaves_memory_flat(start: Start, tmp_path: Path, kind: str, limit: str) -> None:
    recipe = tmp_path / "app.py"
    recipe.write_text(OUTPUT + f"\ntask({SOURCES[kind]}, out.Slow(), name='app')\n")
    given = ["--memory-limit", limit] if limit else []
    agent = start(str(recipe), "--no-view", "--grace", "0.2s", *given)
    levels = burst(kind, agent)
    full = len(levels) // 2
    print(f"{kind}: {levels[0]:.0f} MiB before, {max(levels[:full]):.0f}, then {max(levels[full:]):.0f}")  # noqa: T201
    assert max(levels[full:]) - max(levels[:full]) < FLAT_MB
    assert not limit or max(levels) - levels[0] < LIMITED_MB
    agent.end(signal.SIGTERM)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what it dropped")
def test_every_datagram_of_a_burst_is_delivered_or_counted(start: Start, tmp_path: Path) -> None:
    recipe = tmp_path / "app.py"
    recipe.write_text(OUTPUT + f"\ntask({SOURCES['udp']}, out.Slow(), name='app')\n")
    agent = start(str(recipe), "--no-view", "--grace", "0.2s", "--memory-limit", "1MiB")
    burst("udp", agent)
    agent.end(signal.SIGTERM)
    line = re.search(r"app/Udp: (\d+) delivered, 0 will replay, (\d+) lost; (.*)", agent.log)
    assert line, agent.log
    dropped = sum(int(count) for count in re.findall(r"(\d+) datagrams", line[3]))
    assert int(line[1]) + int(line[2]) + dropped == SENT, line[0]
    assert dropped > SENT // 2
