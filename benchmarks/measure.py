"""Running a child process and reading what it cost."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import psutil

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parent.parent


class Cost(NamedTuple):
    """What one child used."""

    cpu_s: float
    """User and system together, of the child and of all that it waited for."""
    wall_s: float
    rss_mb: float
    """Peak resident memory. Never below that of the process that measures, about 15 MB: the kernel counts so."""


class Spread(NamedTuple):
    """Several rounds of one figure."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        return f"{self.median:.2f} [{self.least:.2f}..{self.most:.2f}]"


def spread(values: Sequence[float]) -> Spread:
    """Return the median with the least and the most."""
    return Spread(statistics.median(values), min(values), max(values))


def run(command: Sequence[str], out: Path | None = None) -> Cost:
    """Run a command to its end, its standard output into `out` or nowhere. SystemExit when it fails."""
    target = open(out or os.devnull, "wb")  # noqa: PTH123, SIM115 - closed below, and the null device is no path
    began = time.perf_counter()
    with target, subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=target) as child:
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"exit code {child.returncode}: {' '.join(command)}")
    peak = used.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return Cost(used.ru_utime + used.ru_stime, time.perf_counter() - began, peak)


def cpu_s(pid: int) -> float:
    """Return what a process of ours that still runs has used, user and system, of all its threads."""
    if platform.system() == "Linux":
        return time.clock_gettime((~pid << 3) | 2)  # what clock_getcpuclockid(3) returns: exact, /proc counts ticks
    used = psutil.Process(pid).cpu_times()
    return float(used.user + used.system)


def python(module: str, *arguments: str) -> list[str]:
    """Return the command that runs one of our modules."""
    return [sys.executable, "-m", module, *arguments]


def swak(*arguments: str) -> list[str]:
    """Return the command that runs swak as it is installed beside this Python, or else from the checkout."""
    installed = Path(sys.executable).with_name("swak")
    return [str(installed), *arguments] if installed.exists() else python("swak", *arguments)


def machine() -> str:
    """Return what the figures were measured on, and when."""
    cpus = Path("/proc/cpuinfo")
    models = [line.partition(": ")[2] for line in cpus.read_text().splitlines() if line.startswith("model name")]
    cpu = f"{len(os.sched_getaffinity(0))} x {models[0]}" if models else platform.processor()
    return f"{cpu}, {platform.system()} {platform.release()}, Python {platform.python_version()}, {time.strftime('%F')}"
