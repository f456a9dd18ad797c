"""How soon a line that is appended is in the output file: `python -m benchmarks.latency`.

One process appends lines that carry the time; another runs FileTailing → File(format="raw", fsync=None), and notes the
time when the write has returned. Both read the same clock.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.agent import Load, agent, timed_file
from benchmarks.measure import machine
from benchmarks.writer import write

if TYPE_CHECKING:
    from benchmarks.agent import Agent


def after_quiet(one: Agent, log: Path, quiet_s: float, rounds: int) -> Load:
    """Have one line written after a while without any, some times. The CPU is that of the quiet time."""
    ages_ms: list[float] = []
    percents: list[float] = []
    for _ in range(rounds):
        percents.append(one.idle_percent(quiet_s))
        ages_ms += one.under_load([log], 1_000).ages_ms
    return Load(sorted(ages_ms), sum(percents) / rounds)


def row(name: str, load: Load) -> str:
    """Return a line of the table."""
    p50, p99, most = (load.within_ms(share) for share in (0.5, 0.99, 1.0))
    return f"| {name} | {p50:.2f} | {p99:.2f} | {most:.2f} | {load.cpu_percent:.2f} |"


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each load lasts")
    parser.add_argument("--quiet", type=float, default=30.0, help="how long nothing is written before one line is")
    parser.add_argument("--rounds", type=int, default=3, help="how often that is done")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="swak-bench-") as name:
        folder = Path(name)
        log = folder / "app.log"
        write([log], 1_000, 1, 0.0)
        with agent(folder, f"in_.FileTailing({str(log)!r}), {timed_file(folder, 'raw')}", arrive=1) as one:
            rows = [
                row(f"first line after {given.quiet:g} s of quiet", after_quiet(one, log, given.quiet, given.rounds)),
                row("1,000 lines/s, 1 a write", one.under_load([log], 1_000, 1, given.seconds)),
                row("20,000 lines/s, 20 a write", one.under_load([log], 20_000, 20, given.seconds)),
            ]
    print(f"{machine()}\n\n| appended → written | p50 ms | p99 ms | max ms | CPU % of a core |\n|---|---|---|---|---|")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
