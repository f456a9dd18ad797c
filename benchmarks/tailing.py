"""What following files costs, be they many, busy or quiet: `python -m benchmarks.tailing [--quick] [--part PART]`.

The agent is a process of its own, and CPU is that of the whole process. Another process writes.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from swak.bench.agent import agent, counted, timed_file
from swak.bench.child import Child
from swak.bench.latency import after_quiet
from swak.bench.measure import machine, python, spread
from swak.bench.roles import write
from swak.plugins.inputs.file_tailing import FileTailing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from swak.bench.agent import Agent

PARSER = r'out.Regex(r"^(?P<written_ns>\d+) (?P<method>\w+) (?P<path>\S+) HTTP/[\d.]+ (?P<status>\d+) (?P<rest>.*)")'
WATCHES = ("auto", "poll") if "watch" in FileTailing.options else ("",)
"""How files are watched; "" where that is no option."""
LINE_BYTES = 128
BUSY_FILES = 64


class Scale(NamedTuple):
    """How large everything is, and how long it lasts."""

    files: int = 5_000
    random_files: int = 200
    settle_s: float = 8.0
    """From the arrival of the first lines until the agent counts as idle."""
    idle_s: float = 30.0
    load_s: float = 10.0
    rounds: int = 3
    backlog_bytes: int = 16 * 2**20
    """In each file."""


QUICK = Scale(300, 20, settle_s=0.2, idle_s=0.3, load_s=0.3, rounds=1, backlog_bytes=32 * 2**10)


class Target(NamedTuple):
    """What one value of a figure is meant to be."""

    name: str
    bound: float
    at_least: bool = False

    def __str__(self) -> str:
        return f"{self.name} {'≥' if self.at_least else '≤'} {self.bound:g}".strip()

    def kept(self, value: float) -> bool:
        """Tell whether a value is as it should be."""
        return value >= self.bound if self.at_least else value <= self.bound


class Figure(NamedTuple):
    """One row of the table: what was measured, values by name, targets by the same names."""

    what: str
    values: dict[str, float]
    targets: tuple[Target, ...] = ()

    def __str__(self) -> str:
        values = " · ".join(f"{name} {value:.2f}".strip() for name, value in self.values.items())
        missed = [target for target in self.targets if not target.kept(self.values[target.name])]
        verdict = f"**missed: {', '.join(map(str, missed))}**" if missed else "kept" if self.targets else ""
        return f"| {self.what} | {values} | {', '.join(map(str, self.targets))} | {verdict} |"


def many(scale: Scale, folder: Path) -> Iterator[Figure]:
    """Follow one file, a hundred and thousands that are all quiet: memory, idle CPU, and one line to some of them."""
    alone_mb = 0.0
    for files, targets in ((1, ()), (100, (Target("", 0.1),)), (scale.files, (Target("", 0.4),))):
        home = folder / str(files)
        paths = made(home, files)
        with agent(home, f"{tail(home)}, {timed_file(home, 'raw')}", arrive=files) as one:
            one.rest(scale.settle_s)
            yield Figure(f"idle, {counted_in(files)}: CPU %", {"": one.idle_percent(scale.idle_s)}, targets)
            alone_mb = alone_mb or one.rss_mb
            if files > 1:
                rss = {"": one.rss_mb - alone_mb}
                yield Figure(f"RSS above that of 1 file, {counted_in(files)}: MB", rss, (Target("", 10),))
            if files == scale.files:
                chosen = random.Random(files).sample(paths, scale.random_files)
                ages = one.under_load(chosen, 50, 1, len(chosen) / 50)
                values = {"p50": ages.within_ms(0.5), "max": ages.within_ms(1)}
                yield Figure(f"a line to each of {len(chosen)} among {counted_in(files)}: ms", values)


def copying(source: Path, target: Path) -> list[str]:
    """Return the command of an agent that copies lines from files to a file."""
    recipe = f'in_.FileTailing({str(source)!r}, follow=False) | out.File({str(target)!r}, format="raw")'
    return python("swak", "up", "--once", "--ephemeral", "-q", "-e", recipe)


def cpu_of(command: list[str], out: Path | None = None) -> float:
    """Return the CPU-seconds of a command, whose output goes to a file."""
    with tempfile.TemporaryDirectory() as folder, Child(command, Path(folder) / "log", out) as child:
        return child.cost().cpu_s


def backlog(scale: Scale, folder: Path) -> Iterator[Figure]:
    """Read files that hold much already: whether each gets its share, and what that costs beside `cat`."""
    each = scale.backlog_bytes // LINE_BYTES
    paths = named(folder, BUSY_FILES)
    for at, path in enumerate(paths):
        path.write_bytes((b"%02d ".ljust(LINE_BYTES - 1, b".") % at + b"\n") * each)
    lines = each * BUSY_FILES
    shares, told = folder / "shares", folder / "told"
    chain = f"{tail(folder)}, Shares({str(told)!r}, lines={lines}, shares={str(shares)!r})"
    with agent(folder, chain, lines, "from benchmarks.probes import Shares"):
        read = [int(count) for count in shares.read_text(encoding="ascii").split()]
    fairness = min(read) / max(read) if len(read) == BUSY_FILES else 0.0
    size = f"{BUSY_FILES} files of {scale.backlog_bytes / 2**20:g} MiB"
    yield Figure(f"{size}, half of all read: slowest / fastest", {"": fairness}, (Target("", 0.8, at_least=True),))
    empty, out = folder / "empty.log", folder / "out"
    empty.touch()
    pattern = folder / "logs" / "*" / "*.log"
    ours, cats = [], []
    for _ in range(scale.rounds):
        out.unlink(missing_ok=True)
        cats.append(cpu_of(["cat", *map(str, paths)], out) * 1e6 / lines)
        out.unlink()
        ours.append((cpu_of(copying(pattern, out)) - cpu_of(copying(empty, out))) * 1e6 / lines)
    values = {"": spread(ours).median, "cat": spread(cats).median}
    yield Figure(f"{size} → one file: CPU-s a million lines of {LINE_BYTES} bytes", values)


def latency(scale: Scale, folder: Path) -> Iterator[Figure]:
    """Take the time from an append until the parsed event is in the output file."""
    for watch in WATCHES:
        home = folder / f"home{watch}"
        (log,) = made(home, 1)
        with agent(home, f"{tail(home, watch)}, {PARSER}, {timed_file(home, 'json')}", arrive=1) as one:
            one.rest(scale.settle_s)
            first = after_quiet(one, log, scale.idle_s, scale.rounds)
            values = {"p50": first.within_ms(0.5), "max": first.within_ms(1)}
            what = f"appended → parsed → written, first line after {scale.idle_s:g} s of quiet: ms"
            yield Figure(labelled(what, watch), values, (Target("max", 50 if watch == "poll" else 20),))
            for pace in ((1_000, 1), (20_000, 20), (20_000, 1)):
                what, values = loaded(one, log, pace, scale.load_s)
                yield Figure(labelled(what, watch), values, (Target("p99", 15), Target("p99.9", 25)))


def loaded(one: Agent, log: Path, pace: tuple[int, int], seconds: float) -> tuple[str, dict[str, float]]:
    """Take the time of many lines; `pace` is lines a second, and how many of them at once."""
    load = one.under_load([log], *pace, seconds)
    values = {"p50": load.within_ms(0.5), "p99": load.within_ms(0.99), "p99.9": load.within_ms(0.999)}
    what = f"appended → parsed → written, {pace[0]:,} lines/s, {pace[1]} a write: ms"
    return what, values | {"max": load.within_ms(1), "CPU %": load.cpu_percent}


def noticing(scale: Scale, folder: Path) -> Iterator[Figure]:
    """Take the CPU that small writes cost when nothing is done with the lines, beside the same agent at rest."""
    for watch in WATCHES:
        for files, lines_per_s, bound in ((1, 1_000, 4), (BUSY_FILES, 1_000, 10), (BUSY_FILES, 20_000, 10)):
            home = folder / f"home{watch}{files}-{lines_per_s}"
            paths = made(home, files)
            with agent(home, f"{tail(home, watch)}, {counted(home)}", arrive=files) as one:
                one.rest(scale.settle_s)
                idle = one.idle_percent(scale.load_s)
                busy = one.under_load(paths, lines_per_s, 1, scale.load_s).cpu_percent
            what = labelled(f"{lines_per_s:,} writes/s, {counted_in(files)}: CPU %", watch)
            yield Figure(
                what, {"in all": busy, "idle": idle, "above idle": busy - idle}, (Target("above idle", bound),)
            )


def named(folder: Path, files: int) -> list[Path]:
    """Return paths for files, a hundred in a directory; the directories are made."""
    paths = [folder / "logs" / f"{at // 100:02}" / f"{at:04}.log" for at in range(files)]
    for directory in {path.parent for path in paths}:
        directory.mkdir(parents=True)
    return paths


def made(folder: Path, files: int) -> list[Path]:
    """Make files of one line each."""
    paths = named(folder, files)
    for path in paths:
        write([path], 1_000_000, 1, 0.0)
    return paths


def tail(folder: Path, watch: str = "") -> str:
    """Return, for a recipe, an input that reads the files of `named`."""
    return f"in_.FileTailing({str(folder / 'logs' / '*' / '*.log')!r}{f', watch={watch!r}' if watch else ''})"


def counted_in(files: int) -> str:
    """Say how many files."""
    return f"{files:,} file{'s' if files > 1 else ''}"


def labelled(what: str, watch: str) -> str:
    """Say how files were watched."""
    return f"{what} ({watch})" if watch else what


PARTS: dict[str, Callable[[Scale, Path], Iterator[Figure]]] = {
    "many": many,
    "backlog": backlog,
    "latency": latency,
    "noticing": noticing,
}


def main() -> None:
    """Measure and print the table, row by row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a look at whether it works: the figures mean nothing")
    parser.add_argument("--part", choices=PARTS, action="append", help="measure this only; may be given repeatedly")
    given = parser.parse_args()
    print(f"{machine()}\n\n| what | measured | target | |\n|---|---|---|---|", flush=True)
    for part in given.part or PARTS:
        with tempfile.TemporaryDirectory(prefix="swak-bench-") as folder:
            for figure in PARTS[part](QUICK if given.quick else Scale(), Path(folder)):
                print(figure, flush=True)


if __name__ == "__main__":
    main()
