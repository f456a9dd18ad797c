"""What Fluentd's forward protocol costs on either side: `python -m benchmarks.forward [--lines N] [--rounds N]`.

W5a is a file that is tailed to `out.Fluentd` with acks; W5b is `in_.Forward`, packed chunks with acks, to JSON lines.
Only the agent's CPU counts. Its peer is a process of ours that does as little as can be: a stand-in, no real server.
Beside each runs a plain copy of the same bytes through a socket, by one process, as the least that it could cost.
Every record that arrived is compared with its line.
"""

from __future__ import annotations

import argparse
import itertools
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgpack  # type: ignore[import-untyped]  # it has no types
import msgspec

from benchmarks import corpus
from benchmarks.checks import COMBINED
from benchmarks.measure import ROOT, Cost, machine, python, run, spread, swak

if TYPE_CHECKING:
    from collections.abc import Iterator

SAMPLE = ROOT / "recipes" / "data" / "access.log"
CHUNK_EVENTS = 1_000
PEER_S = 600.0
READY_S = 20.0


class Target(NamedTuple):
    """What a figure is meant to be."""

    cpu_s: float
    rss_mb: float = 70.0


TARGETS = {"W5a": Target(0.9), "W5b": Target(2.4)}
NAMES = {
    "W5a": "W5a: tail → Fluentd, acked",
    "copy a": "the same file, sent through a socket",
    "W5b": "W5b: Forward, acked → JSON lines",
    "copy b": "the same frames, from a socket to a file",
}


@contextmanager
def peer(*arguments: str) -> Iterator[int]:
    """Give the port of a peer that listens. SystemExit when it fails."""
    command = python("benchmarks.forward_peers", *arguments)
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        yield int(child.stdout.readline())
        if child.wait(PEER_S):
            sys.exit(f"exit code {child.returncode}: {' '.join(command)}")


class Bench:
    """Inputs and figures of one run of the benchmark."""

    def __init__(self, folder: Path, lines: int) -> None:
        self.folder, self.lines = folder, lines
        self.log, self.frames = folder / "access.log", folder / "frames"
        corpus.build(SAMPLE, self.log, lines)
        self.chunks = write_frames(self.log, self.frames)
        self.nothing = folder / "nothing"
        self.nothing.touch()
        self.full: dict[str, list[Cost]] = {name: [] for name in NAMES}
        self.idle: dict[str, list[Cost]] = {name: [] for name in NAMES}

    def round(self) -> None:
        """Run everything once, and check what arrived."""
        out = self.folder / "out"
        for costs, log, frames, chunks in (
            (self.full, self.log, self.frames, self.chunks),
            (self.idle, self.nothing, self.nothing, 0),
        ):
            costs["W5a"].append(tail_to_sink(log, out))
            check_entries(log, out)
            with peer("copy-in", str(out)) as port:
                costs["copy a"].append(run(python("benchmarks.forward_peers", "copy-out", str(port), str(log))))
            check_copy(log, out)
            costs["W5b"].append(self._receive(frames, out, chunks))
            check_lines(log, out)
            costs["copy b"].append(copied_in(frames, out))
            check_copy(frames, out)

    def _receive(self, frames: Path, out: Path, chunks: int) -> Cost:
        out.unlink(missing_ok=True)
        log = self.folder / "agent.log"
        text = f"in_.Forward(port=0) | out.File({str(out)!r})"
        with log.open("wb") as told:
            child = subprocess.Popen(swak("up", "--ephemeral", "-e", text), cwd=ROOT, stdout=told, stderr=told)
        port = told_port(log, child)
        began = time.perf_counter()
        if chunks:
            run(python("benchmarks.forward_peers", "send", str(port), str(frames), str(chunks)))
        child.send_signal(signal.SIGTERM)
        cost = ended(child, began)
        out.touch()
        return cost

    def table(self) -> str:
        """Return the figures as markdown."""
        rows = [
            "| work | CPU-s a million, net | target | x copy | peak MB | events a second |",
            "|---|---|---|---|---|---|",
        ]
        for name, what in NAMES.items():
            net = self._net(name)
            median = spread(net).median
            target = TARGETS.get(name)
            copy = spread(self._net(f"copy {name[-1]}")).median
            memory = spread([cost.rss_mb for cost in self.full[name]]).median
            speed = self.lines / spread([cost.wall_s for cost in self.full[name]]).median
            bound, ratio = "", ""
            if target is not None:
                kept = median <= target.cpu_s and memory <= target.rss_mb
                bound = f"≤ {target.cpu_s:g}, ≤ {target.rss_mb:g} MB: {'kept' if kept else '**missed**'}"
                ratio = f"{median / copy:.1f}"
            rows.append(f"| {what} | {spread(net)} | {bound} | {ratio} | {memory:.0f} | {speed:,.0f} |")
        return "\n".join(rows)

    def _net(self, name: str) -> list[float]:
        nothing = spread([cost.cpu_s for cost in self.idle[name]]).median
        return [(cost.cpu_s - nothing) * 1e6 / self.lines for cost in self.full[name]]


def tail_to_sink(log: Path, out: Path) -> Cost:
    """Send a whole log to a sink that writes to `out`."""
    with peer("sink", str(out)) as port:
        text = f"in_.FileTailing({str(log)!r}, follow=False) | out.Fluentd('127.0.0.1', {port})"
        return run(swak("up", "--once", "--ephemeral", "-q", "-e", text))


def copied_in(frames: Path, out: Path) -> Cost:
    """Receive a file by a plain copy, and return what that cost."""
    command = python("benchmarks.forward_peers", "copy-in", str(out))
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    with child.stdout:
        port = int(child.stdout.readline())
        began = time.perf_counter()
        run(python("benchmarks.forward_peers", "copy-out", str(port), str(frames)))
        return ended(child, began)


def told_port(log: Path, child: subprocess.Popen[bytes]) -> int:
    """Return the port that an agent says it listens on."""
    deadline = time.monotonic() + READY_S
    while not (found := re.search(r"listening.*port=(\d+)", log.read_text(encoding="utf-8"))):
        if time.monotonic() > deadline or child.poll() is not None:
            child.kill()
            sys.exit(f"the agent does not listen:\n{log.read_text(encoding='utf-8')}")
        os.sched_yield()
    return int(found[1])


def ended(child: subprocess.Popen[str] | subprocess.Popen[bytes], began_s: float) -> Cost:
    """Wait for a child and return what it cost. SystemExit when it failed."""
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"exit code {child.returncode}: {child.args!r}")
    peak = used.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return Cost(used.ru_utime + used.ru_stime, time.perf_counter() - began_s, peak)


def write_frames(log: Path, target: Path) -> int:
    """Write a log's records as packed chunks that want acks; return how many there are."""
    second = int(time.time())
    made = 0
    with log.open(encoding="utf-8", errors="replace", newline="\n") as lines, target.open("wb") as out:
        while part := list(itertools.islice(lines, CHUNK_EVENTS)):
            stamp = msgpack.ExtType(0, second.to_bytes(4, "big") + made.to_bytes(4, "big"))
            entries = b"".join(msgpack.packb([stamp, expected(line)]) for line in part)
            out.write(msgpack.packb(["access", entries, {"chunk": f"{made:016d}", "size": len(part)}]))
            made += 1
    return made


def expected(line: str) -> dict[str, str]:
    """Return the record of a line."""
    match = COMBINED.match(line)
    return match.groupdict() if match is not None else {"message": line.rstrip("\n")}


def check_entries(log: Path, stored: Path) -> None:
    """Exit at the first entry that is not its line."""
    with log.open("rb") as lines, stored.open("rb") as entries:
        unpacker = msgpack.Unpacker(entries, unicode_errors="surrogateescape", max_buffer_size=2**30)
        for number, (line, entry) in enumerate(itertools.zip_longest(lines, unpacker), 1):
            if line is None or entry is None or entry[1].keys() != {"message"} or not same(line, entry[1]["message"]):
                sys.exit(f"W5a: line {number}: {line!r} became {entry!r}")


def same(line: bytes, text: str | bytes) -> bool:
    """Tell whether text is a line without its end."""
    wanted = line.rstrip(b"\n")
    return (text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")) == wanted


def check_lines(log: Path, written: Path) -> None:
    """Exit at the first JSON line that is not its line's record."""
    with log.open(encoding="utf-8", errors="replace", newline="\n") as lines, written.open("rb") as records:
        for number, (line, record) in enumerate(itertools.zip_longest(lines, records), 1):
            if line is None or record is None or msgspec.json.decode(record) != expected(line):
                sys.exit(f"W5b: line {number}: {line!r} became {record!r}")


def check_copy(source: Path, copy: Path) -> None:
    """Exit unless a copy is one."""
    if corpus.digest(source) != corpus.digest(copy):
        sys.exit(f"{copy} is no copy of {source}")


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="swak-bench-") as folder:
        bench = Bench(Path(folder), given.lines)
        for _ in range(given.rounds):
            bench.round()
    print(f"{machine()}\n{given.lines:,} events, medians of {given.rounds} rounds [least..most]\n\n{bench.table()}")


if __name__ == "__main__":
    main()
