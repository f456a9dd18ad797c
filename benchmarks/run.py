"""What swak costs beside `cat` and beside a bare loop over `re`: `python -m benchmarks.run [--lines N]`.

Every figure is CPU-seconds (user and system) of a child process. All children of a round run one after another, so that
what is compared was measured under the same load; every output is checked.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks import corpus
from benchmarks.measure import ROOT, Cost, Spread, machine, python, run, spread, swak

if TYPE_CHECKING:
    from collections.abc import Callable

SAMPLE = ROOT / "recipes" / "data" / "access.log"


class Work(NamedTuple):
    """One thing to measure, as a command on an input and an output."""

    name: str
    command: Callable[[Path, Path], list[str]]
    by_stdout: bool = False
    """Whether the output is the child's standard output."""


def recipe(chain: str) -> Callable[[Path, Path], list[str]]:
    """Return a command that runs a recipe from the input to its end; `chain` is what follows the input."""

    def command(log: Path, out: Path) -> list[str]:
        text = f"in_.FileTailing({str(log)!r}, follow=False) | " + chain.format(out=repr(str(out)))
        return swak("up", "--once", "--ephemeral", "-q", "-e", text)

    return command


CAT = Work("`cat file > out`", lambda log, _out: ["cat", str(log)], by_stdout=True)
RE = Work("`re` alone: read, match, groups", lambda log, _out: python("benchmarks.bare_re", str(log)))
W1 = Work("W1: tail → file, raw", recipe('out.File({out}, format="raw")'))
W2 = Work("W2: tail → Nginx → JSON file", recipe("out.Nginx() | out.File({out})"))
WORKS = (CAT, W1, RE, W2)


class Bench:
    """Inputs, outputs and figures of one run of the benchmark."""

    def __init__(self, folder: Path, source: Path, lines: int) -> None:
        self.lines = lines
        self.log, self.empty, self.out = folder / "access.log", folder / "empty.log", folder / "out"
        corpus.build(source, self.log, lines)
        self.empty.touch()
        self.full: dict[str, list[Cost]] = {work.name: [] for work in WORKS}
        self.idle: dict[str, list[Cost]] = {work.name: [] for work in WORKS}
        self.right: dict[str, str] = {}
        self.helps: list[float] = []

    def round(self) -> None:
        """Run everything once, and check what was written."""
        for work in WORKS:
            self.full[work.name].append(self._run(work, self.log))
            self._check(work)
            self.idle[work.name].append(self._run(work, self.empty))
        bare = run([sys.executable, "-c", "pass"])
        self.helps.append(1_000 * (run(swak("--help")).cpu_s - bare.cpu_s))

    def _run(self, work: Work, log: Path) -> Cost:
        self.out.unlink(missing_ok=True)
        return run(work.command(log, self.out), self.out if work.by_stdout else None)

    def _check(self, work: Work) -> None:
        """Compare the output with the input: bytes with bytes; records one by one, in later rounds with the first."""
        if work is RE:
            return
        written = corpus.digest(self.out)
        if work.name not in self.right:
            if work is W2:
                run(python("benchmarks.checks", str(self.log), str(self.out)))
            self.right[work.name] = written if work is W2 else corpus.digest(self.log)
        if written != self.right[work.name]:
            sys.exit(f"{work.name}: the output is wrong")

    def per_million(self, work: Work) -> Spread:
        """Return CPU-seconds a million lines, net of the same work on an empty input."""
        nothing = spread([cost.cpu_s for cost in self.idle[work.name]]).median
        return spread([(cost.cpu_s - nothing) * 1e6 / self.lines for cost in self.full[work.name]])

    def table(self) -> str:
        """Return the figures as markdown."""
        nets = {work: self.per_million(work) for work in WORKS}
        rows = ["| work | CPU-s a million lines, net | beside | peak MB | lines a second |", "|---|---|---|---|---|"]
        for work, net in nets.items():
            costs = self.full[work.name]
            reference = {W1: CAT, W2: RE}.get(work)
            ratio = f"{net.median / nets[reference].median:.1f} x {reference.name}" if reference else ""
            speed = self.lines / spread([cost.wall_s for cost in costs]).median
            memory = spread([cost.rss_mb for cost in costs]).median
            rows.append(f"| {work.name} | {net} | {ratio} | {memory:.0f} | {speed:,.0f} |")
        start = spread([cost.cpu_s for cost in self.idle[W1.name]])
        rows.append(f"| start and stop, empty input (CPU-s in all) | {start} | | | |")
        rows.append(f"| `swak --help` over bare Python (ms) | {spread(self.helps)} | | | |")
        return "\n".join(rows)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--input", type=Path, default=SAMPLE, help="access log (combined), plain or .gz; it is repeated"
    )
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="swak-bench-") as folder:
        bench = Bench(Path(folder), given.input, given.lines)
        for _ in range(given.rounds):
            bench.round()
    print(f"{machine()}\n{given.lines:,} lines, medians of {given.rounds} rounds [least..most]\n\n{bench.table()}")


if __name__ == "__main__":
    main()
