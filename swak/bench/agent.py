"""An agent in a process of its own, and what can be seen of it from outside: CPU, memory, what has arrived and when."""

from __future__ import annotations

import time
from array import array
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, NamedTuple

from swak.bench.child import Child
from swak.bench.measure import cpu_s, python
from swak.bench.probes import WHOLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

ARRIVAL_S = 60.0
LOOK_S = 0.05


class Load(NamedTuple):
    """What became of the lines that were written during one load."""

    ages_ms: list[float]
    """How long each took, sorted; empty where the output only counts."""
    cpu_percent: float
    """Of one core, while lines were written."""

    def within_ms(self, share: float) -> float:
        """Return the age that this share of the lines did not exceed."""
        return self.ages_ms[min(len(self.ages_ms) - 1, int(len(self.ages_ms) * share))]


class Agent:
    """`swak up` on one recipe, whose outputs tell in the file `told` what has arrived."""

    def __init__(self, child: Child, folder: Path) -> None:
        self._child = child
        self._told, self._log = folder / "told", folder / "writer.log"

    @property
    def arrived(self) -> int:
        """Events that have arrived."""
        found = array(WHOLE, self._told.read_bytes() if self._told.exists() else b"")
        return found[0] if found else 0

    @property
    def rss_mb(self) -> float:
        """Resident memory."""
        import psutil  # noqa: PLC0415 - one benchmark asks

        return float(psutil.Process(self._child.pid).memory_info().rss / 1e6)

    def rest(self, seconds: float) -> None:
        """Let the agent run for a while. BenchError when it ends meanwhile."""
        until = time.monotonic() + seconds
        self._child.await_("that", lambda: time.monotonic() >= until, seconds + 1, LOOK_S)

    def idle_percent(self, seconds: float) -> float:
        """Return the CPU that the agent uses while it is let run, in percent of a core."""
        began_s, used_s = time.monotonic(), cpu_s(self._child.pid)
        self.rest(seconds)
        return 100 * (cpu_s(self._child.pid) - used_s) / (time.monotonic() - began_s)

    def wait_for(self, events: int) -> None:
        """Wait until so many events have arrived. BenchError when they do not."""
        self._child.await_(f"{events} lines have arrived", lambda: self.arrived >= events, ARRIVAL_S, LOOK_S)

    def under_load(
        self, paths: Sequence[Path], lines_per_s: float, lines_per_write: int = 1, seconds: float = 0.0
    ) -> Load:
        """Have lines appended to the files in turn (one write at least), and wait until all have arrived."""
        before = self.arrived
        arguments = (str(lines_per_s), str(lines_per_write), str(seconds), *map(str, paths))
        began_s, used_s = time.monotonic(), cpu_s(self._child.pid)
        with Child(python("swak.bench.roles", "write", *arguments), self._log) as writer:
            writer.cost()
            written = int(writer.said())
        used = 100 * (cpu_s(self._child.pid) - used_s) / (time.monotonic() - began_s)
        self.wait_for(before + written)
        ages = self._told.with_suffix(".ages")
        ages_ns = array(WHOLE, ages.read_bytes())[before:]
        return Load(sorted(age / 1_000_000 for age in ages_ns), used)


def timed_file(folder: Path, form: Literal["raw", "json"]) -> str:
    """Return, for a recipe, an output that writes events to a file and tells how long they took."""
    return f"TimedFile({str(folder / 'out')!r}, format={form!r}, fsync=None, told={str(folder / 'told')!r})"


def counted(folder: Path) -> str:
    """Return, for a recipe, an output that only counts."""
    return f"Counted({str(folder / 'told')!r})"


@contextmanager
def agent(folder: Path, chain: str, arrive: int, imports: str = "") -> Iterator[Agent]:
    """Start an agent on a chain of stages; it is ready when the lines that are there (`arrive`) have arrived.

    `imports` are statements for the top of its recipe. BenchError when the agent fails.
    """
    recipe = folder / "recipe.py"
    text = f"from swak.bench.probes import Counted, TimedFile\n{imports}\n\ntask({chain})\n"
    recipe.write_text(text, encoding="utf-8")
    command = python("swak", "up", "--no-view", "--data-dir", str(folder / "state"), str(recipe))
    with Child(command, folder / "agent.log") as child:
        one = Agent(child, folder)
        one.wait_for(arrive)
        yield one
        child.stop()
