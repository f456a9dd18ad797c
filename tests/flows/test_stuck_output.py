"""An output that hangs or refuses: memory stays bounded, and the flow resumes soon after it has recovered.

SWAK_LONG=1 keeps it stuck for a minute, after ten seconds of healthy flow.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.flows.agent import tail_of
from tests.flows.waiting import until
from tests.oracle import judge

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.flows.agent import Agent
    from tests.flows.conftest import Start
    from tests.servers.receivers import Receiver

LONG = os.environ.get("SWAK_LONG") == "1"
HEALTHY_S, STUCK_S = (10.0, 60.0) if LONG else (1.0, 5.0)
RATE = 4_000
"""Lines a second while all is well."""
BACKLOG = 100_000
"""Lines that come when it is stuck: twice what fits between the file and the output."""
GROWTH_MAX_MB = 10
"""From when all mailboxes are full."""
LONG_GROWTH_MAX_MB = 30
"""From healthy flow, in the long version: all that mailboxes and buffer may hold is in it."""
BATCH = 1_000
"""Events that the output has in hand at once."""
RESUME_S = 4.0
"""A deadline for a busy machine; a second is the aim, and the time is printed."""

pytestmark = [
    pytest.mark.timeout(240 if LONG else 60),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts what a process has read by /proc"),
]

RECIPE = """
task(
    in_.FileTailing("access.log"),
    out.Nginx(),
    out.TimedBuffer("0.5s"),
    out.Fluentd("127.0.0.1", {port}, ack_timeout="120s"),
    name="web",
)
"""


def write(path: Path, numbers: range) -> None:
    """Append numbered requests as nginx writes them, in one go."""
    rest = 'HTTP/1.1" 200 612 "-" "curl/8.9.1"'
    stamp = "27/May/2020:08:23:31 +0000"
    with path.open("a") as log:
        log.write("".join(f'10.0.0.{n % 250} - - [{stamp}] "GET /article/{n} {rest}\n' for n in numbers))


def rss_mb(agent: Agent) -> float:
    return float(psutil.Process(agent.pid).memory_info().rss) / 2**20


def sampled(agent: Agent, seconds: float) -> list[float]:
    """Return the resident memory (MiB) over that time, ten times a second."""
    found, until_s = [], time.monotonic() + seconds
    pause = threading.Event()
    while time.monotonic() < until_s:
        found.append(rss_mb(agent))
        pause.wait(0.1)
    return found


def wait_until_it_reads_no_more(agent: Agent) -> None:
    """Wait until everything between the file and the output is full."""
    process = psutil.Process(agent.pid)
    before = [0, 0]

    def still() -> bool:
        read = process.io_counters().read_chars
        before[:] = [before[0] + 1, before[1]] if read - before[1] < 4_096 else [0, read]
        return before[0] > 100  # looks in a row, which is at least half a second

    until(still, lambda: agent.log)


def flow_for(seconds: float, path: Path) -> int:
    """Let the log grow at RATE for that long; return the number of lines."""
    count, pause = 0, threading.Event()
    while count < seconds * RATE:
        write(path, range(count, count + RATE // 20))
        count += RATE // 20
        pause.wait(0.05)
    return count


def hang(receiver: Receiver) -> None:
    receiver.kill()
    receiver.start("never-ack")


def refuse(receiver: Receiver) -> None:
    receiver.kill()


@pytest.mark.parametrize("stick", [hang, refuse])
def test_while_the_output_is_stuck_memory_is_bounded_and_then_the_flow_resumes(
    start: Start, forward_receiver: Receiver, tmp_path: Path, stick: Callable[[Receiver], None]
) -> None:
    path, recipe = tmp_path / "access.log", tmp_path / "web.py"
    path.touch()
    recipe.write_text(RECIPE.format(port=forward_receiver.port))
    agent = start(str(recipe), "--data-dir", str(tmp_path / "data"), "--grace", "30s")
    count = flow_for(HEALTHY_S, path)
    until(lambda: stored_bytes(forward_receiver) > 0, lambda: agent.log)
    healthy_mb = rss_mb(agent)
    stick(forward_receiver)
    write(path, range(count, count + BACKLOG))
    count += BACKLOG
    wait_until_it_reads_no_more(agent)
    full_mb = rss_mb(agent)
    levels_mb = sampled(agent, STUCK_S)
    resumed_s = recover(agent, forward_receiver)
    until(lambda: f"/article/{count - 1} " in tail_of(forward_receiver.path), lambda: agent.log)
    assert agent.end(signal.SIGTERM) == 0, agent.log
    print(  # noqa: T201 - figures worth seeing
        f"{stick.__name__}: {healthy_mb:.0f} MiB healthy, {full_mb:.0f} full, at most {max(levels_mb):.0f} in the next"
        f" {STUCK_S:g} s; the flow resumed after {resumed_s:.2f} s"
    )
    assert max(levels_mb) - full_mb < GROWTH_MAX_MB
    assert not LONG or max(levels_mb) - healthy_mb < LONG_GROWTH_MAX_MB
    numbers = [int(re.findall(r"/article/(\d+)", str(record))[0]) for record in forward_receiver.records()]
    judge(range(count), numbers).assert_right(duplicates_max=2 * BATCH)


def recover(agent: Agent, receiver: Receiver) -> float:
    """Bring the receiver back; return the seconds from when it listens until it stores."""
    receiver.kill()
    before = stored_bytes(receiver)
    receiver.start()
    return until(lambda: stored_bytes(receiver) > before, lambda: agent.log, RESUME_S)


def stored_bytes(receiver: Receiver) -> int:
    return receiver.path.stat().st_size if receiver.path.exists() else 0
