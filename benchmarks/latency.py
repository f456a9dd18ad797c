"""How soon a line that is appended is in the output file: `python -m benchmarks.latency`.

Another process appends lines that carry the time; here runs FileTailing → File(format="raw", fsync=None), whose write
notes the time when it returns. Both processes read the same clock.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import swak
from benchmarks.measure import ROOT, machine, python
from benchmarks.writer import PADDING
from swak import in_, task
from swak.plugins.outputs.file import File

if TYPE_CHECKING:
    from swak.actors.running import Run
    from swak.event import Batch

ARRIVAL_S = 20.0
ROUND_S = 0.05


class TimedFile(File):
    """A File that notes for each line how long ago it was appended, in milliseconds."""

    def __init__(self, *values: Any, **named: Any) -> None:
        super().__init__(*values, **named)
        self.ages_ms: list[float] = []

    def fresh(self) -> Self:
        made = super().fresh()
        made.ages_ms = self.ages_ms
        return made

    def write(self, batch: Batch) -> Any:
        pending = super().write(batch)
        now_ns = time.time_ns()
        self.ages_ms += [
            (now_ns - int(record["message"].partition(" ")[0])) / 1_000_000 for record in batch.body.records()
        ]
        return pending


class Latency(NamedTuple):
    """How long lines took, and what it cost."""

    name: str
    p50_ms: float
    p99_ms: float
    max_ms: float
    cpu_percent: float

    def __str__(self) -> str:
        return f"| {self.name} | {self.p50_ms:.2f} | {self.p99_ms:.2f} | {self.max_ms:.2f} | {self.cpu_percent:.2f} |"


def judged(name: str, ages_ms: list[float], cpu_percent: float) -> Latency:
    """Return the quantiles of `ages_ms`."""
    ages = sorted(ages_ms)
    return Latency(name, ages[len(ages) // 2], ages[min(len(ages) - 1, len(ages) * 99 // 100)], ages[-1], cpu_percent)


class Bench:
    """One flow, and a file that is appended to."""

    def __init__(self, folder: Path, run: Run, output: TimedFile) -> None:
        self.log = folder / "app.log"
        self.run = run
        self.output = output

    def under_load(self, lines_per_s: int, lines_per_write: int, seconds: float) -> Latency:
        """Have lines written for a while."""
        ages, cpu_percent = self._written(lines_per_s, lines_per_write, seconds)
        return judged(f"{lines_per_s:,} lines/s, {lines_per_write} a write", ages, cpu_percent)

    def after_quiet(self, quiet_s: float, rounds: int) -> Latency:
        """Have one line written after a while without any. The CPU is that of the quiet time."""
        ages: list[float] = []
        cpu_s = 0.0
        for _ in range(rounds):
            began_s = time.process_time()
            self.run.wait(quiet_s)
            cpu_s += time.process_time() - began_s
            ages += self._written(1_000, 1, 0.001)[0]
        return judged(f"first line after {quiet_s:g} s of quiet", ages, 100 * cpu_s / (quiet_s * rounds))

    def _written(self, lines_per_s: int, lines_per_write: int, seconds: float) -> tuple[list[float], float]:
        """Let the writer run; return the ages of its lines and the CPU that this process used, in percent of a core."""
        self.output.ages_ms.clear()
        before = self._lines()
        began_s, cpu_s = time.monotonic(), time.process_time()
        arguments = (str(self.log), str(lines_per_s), str(lines_per_write), str(seconds))
        subprocess.run(python("benchmarks.writer", *arguments), cwd=ROOT, check=True)
        used = 100 * (time.process_time() - cpu_s) / (time.monotonic() - began_s)
        written, deadline = self._lines() - before, time.monotonic() + ARRIVAL_S
        while len(self.output.ages_ms) < written:
            if time.monotonic() > deadline:
                raise SystemExit(f"{len(self.output.ages_ms)} of {written} lines have arrived")
            self.run.wait(ROUND_S)
        return self.output.ages_ms.copy(), used

    def _lines(self) -> int:
        return self.log.read_bytes().count(PADDING)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each load lasts")
    parser.add_argument("--quiet", type=float, default=30.0, help="how long nothing is written before one line is")
    parser.add_argument("--rounds", type=int, default=3, help="how often that is done")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="swak-bench-") as name:
        folder = Path(name)
        (folder / "app.log").touch()
        output = TimedFile(str(folder / "out.log"), format="raw", fsync=None)
        with swak.running(task(in_.FileTailing(str(folder / "app.log")), output)) as run:
            bench = Bench(folder, run, output)
            found = [
                bench.after_quiet(given.quiet, given.rounds),
                bench.under_load(1_000, 1, given.seconds),
                bench.under_load(20_000, 20, given.seconds),
            ]
    print(f"{machine()}\n\n| appended → written | p50 ms | p99 ms | max ms | CPU % of a core |\n|---|---|---|---|---|")
    print("\n".join(str(one) for one in found))


if __name__ == "__main__":
    main()
