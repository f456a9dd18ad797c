"""An agent in the background that reads its own log: what it tells of that must come to an end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.flows.agent import swak
from tests.flows.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no background processes on Windows")

FAILING = """
from swak import Output, in_, task

class Failing(Output):
    '''Takes nothing, and says so of each event: once as it should, once as careless code does.'''
    def write(self, batch):
        for record in batch.body.records():
            self.log.warning("cannot be written", record=record)
            self.log.warning(f"cannot be written: {record}")
        raise ValueError("no")

task(in_.FileTailing("home/logs/*.log"), Failing(), name="web")
"""
QUIET_S = 2.0
LINES_MAX = 1_000


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder whose agents are ended with the test."""
    yield tmp_path
    for path in (tmp_path / "home" / "run").glob("*.json"):
        with contextlib.suppress(ProcessLookupError):  # it has ended already
            os.kill(json.loads(path.read_text())["pid"], signal.SIGKILL)


class Growth:
    """Looks at a file until it has not grown for a while."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = -1
        self.since_s = time.monotonic()

    def is_over(self) -> bool:
        """Tell whether it has been `QUIET_S` since it grew."""
        size = self.path.stat().st_size
        if size != self.size:
            self.size, self.since_s = size, time.monotonic()
        return time.monotonic() - self.since_s > QUIET_S


def test_a_log_that_is_fed_into_a_failing_output_grows_to_a_bound(folder: Path) -> None:
    (folder / "web.py").write_text(FAILING)
    done = swak(folder, "up", "-d", "web.py")
    assert done.returncode == 0, done.stderr
    log = folder / "home" / "logs" / "web.log"
    growth = Growth(log)
    until(growth.is_over, lambda: log.read_text()[-2000:])
    lines = log.read_text().splitlines()
    assert 10 < len(lines) < LINES_MAX
    assert any("the log of its own agent" in line for line in lines)
    told = [line.partition(" ")[2] for line in lines]
    assert len([line for line in told if line.startswith("[warning] cannot be written [swak.plugins]")]) == 10


def test_an_output_that_prints_into_the_log_which_is_read_is_refused(folder: Path) -> None:
    (folder / "web.py").write_text('task(in_.FileTailing("home/logs/*.log"), out.Stdout())\n')
    done = swak(folder, "up", "-d", "web.py")
    assert done.returncode == 78
    assert "web.py:1  FileTailing: it reads" in done.stderr
    assert 'an output prints there; keep the pattern off it: exclude="web.log*"' in done.stderr
