"""L1: how soon a line that is appended is in the output file, and what an agent at rest uses.

One process appends lines that carry the time; another runs FileTailing → File(format="raw", fsync=None), and notes the
time when the write has returned. Both read the same clock. At the end the output must be what was appended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from swak.bench.agent import Load, agent, timed_file
from swak.bench.checks import compare, lines
from swak.bench.roles import write

if TYPE_CHECKING:
    from pathlib import Path

    from swak.bench.agent import Agent

LOADS = ((1_000, 1), (20_000, 20))
"""Lines a second, and lines a write."""


class Row(NamedTuple):
    """Ages of lines, in milliseconds, and CPU in percent of a core, under one load."""

    name: str
    p50_ms: float
    p99_ms: float
    most_ms: float
    cpu_percent: float


def after_quiet(one: Agent, log: Path, quiet_s: float, rounds: int) -> Load:
    """Have one line written after a while without any, some times. The CPU is that of the quiet time.

    What a start or a load leaves to be done, such as a checkpoint, is over before that is counted.
    """
    ages_ms: list[float] = []
    percents: list[float] = []
    for _ in range(rounds):
        one.rest(quiet_s / 4)
        percents.append(one.idle_percent(quiet_s))
        ages_ms += one.under_load([log], 1_000).ages_ms
    return Load(sorted(ages_ms), sum(percents) / rounds)


def row(name: str, load: Load) -> Row:
    """Return what is shown of a load."""
    p50, p99, most = (load.within_ms(share) for share in (0.5, 0.99, 1.0))
    return Row(name, p50, p99, most, load.cpu_percent)


def measured(folder: Path, load_s: float, quiet_s: float) -> list[Row]:
    """Run an agent at rest and under two loads. Wrong when the output is not what was appended."""
    folder.mkdir()
    log = folder / "app.log"
    write([log], 1_000, 1, 0.0)
    with agent(folder, f"in_.FileTailing({str(log)!r}), {timed_file(folder, 'raw')}", arrive=1) as one:
        rows = [row(f"first line after {quiet_s:g} s of quiet", after_quiet(one, log, quiet_s, 1))]
        for lines_per_s, lines_per_write in LOADS:
            name = f"{lines_per_s:,} lines/s, {lines_per_write} a write"
            rows.append(row(name, one.under_load([log], lines_per_s, lines_per_write, load_s)))
    compare(lines(log), lines(folder / "out"), "L1")
    return rows
