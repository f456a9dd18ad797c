"""What a child process cost, several rounds of it, and on what machine."""

from __future__ import annotations

import os
import platform
import statistics
import sys
import sysconfig
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

HOME = Path(__file__).parents[2]
"""Where the package swak lies: the checkout, or where it was installed."""


class Cost(NamedTuple):
    """What one child used."""

    cpu_s: float
    """User and system together, of the child and of all that it waited for."""
    wall_s: float
    rss_mb: float
    """Peak resident memory. Never below that of the process that measures, about 25 MB: the kernel counts so."""


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


def cpu_s(pid: int) -> float:
    """Return what a process of ours that still runs has used, user and system, of all its threads."""
    if platform.system() == "Linux":
        return time.clock_gettime((~pid << 3) | 2)  # what clock_getcpuclockid(3) returns: exact, /proc counts ticks
    import psutil  # noqa: PLC0415 - only where there is no such clock

    used = psutil.Process(pid).cpu_times()
    return float(used.user + used.system)


def python(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module; what lies in the folder where it runs cannot take a module's place."""
    return [sys.executable, "-P", "-m", module, *arguments]


def environment() -> dict[str, str]:
    """Return the environment of children: no settings of swak's, and this very swak, installed or not."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SWAK")}
    if str(HOME) not in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        kept["PYTHONPATH"] = os.pathsep.join([str(HOME), *filter(None, [kept.get("PYTHONPATH")])])
    return kept


def machine() -> str:
    """Return what the figures were measured on, and when."""
    cpus = Path("/proc/cpuinfo")
    lines = cpus.read_text(encoding="utf-8").splitlines() if cpus.exists() else []
    models = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    cpu = f"{count} x {models[0] if models else platform.processor()}"
    return f"{cpu}, {platform.system()} {platform.release()}, Python {platform.python_version()}, {time.strftime('%F')}"
