"""What JSON lines over TCP cost, beside a plain copy of the socket: `python -m benchmarks.sockets [--lines N]`.

Every figure is CPU-seconds (user and system) of the receiving process, net of the same process that receives nothing.
All receivers of a round run one after another. In the first round every record that was written is compared with the
one that was sent, in later rounds the bytes with those of the first.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.corpus import BLOCK_BYTES, digest
from benchmarks.measure import ROOT, Cost, machine, python, spread

if TYPE_CHECKING:
    from collections.abc import Callable

START_S, ARRIVAL_S = 15.0, 120.0
LOOK_S = 0.01
LISTENING = re.compile(rb"127\.0\.0\.1:(\d+)")
TARGET_S, TARGET_MB = 2.6, 70
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"


class Work(NamedTuple):
    """One receiver: its command on an output, and what it adds to each record."""

    name: str
    command: Callable[[Path], list[str]]
    adds: dict[str, str]


def recipe(options: str) -> Callable[[Path], list[str]]:
    """Return a command that runs a recipe from TCP to a file."""
    return lambda out: python(
        "swak", "up", "--ephemeral", "-e", f'in_.Tcp(0, codec="json"{options}) | out.File({str(out)!r})'
    )


COPY = Work("plain copy: recv, write", lambda out: python("benchmarks.sockets", "--copy", str(out)), {})
W4 = Work("W4: TCP JSON → JSON lines", recipe(", host_field=None"), {})
HOST = Work("the same, with the sender's address", recipe(""), {"host": "127.0.0.1"})
WORKS = (COPY, W4, HOST)


def record(number: int) -> dict[str, str | int | float]:
    """Return what nginx might say of one request: about 290 bytes of JSON, 10,000 requests a second."""
    return {
        "@timestamp": time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(1_795_223_247 + number // 10_000)),
        "remote_addr": f"10.0.{number % 256}.{number % 251}",
        "method": "GET",
        "path": f"/articles/{number}.html?page={number % 97}",
        "status": 200 if number % 20 else 404,
        "body_bytes_sent": number % 9_000,
        "request_time": number % 1_000 / 1_000,
        "http_referer": f"https://example.com/{number % 50}",
        "http_user_agent": AGENT,
    }


def build(target: Path, lines: int) -> None:
    """Write the records as JSON lines, as compact as nginx writes them."""
    with target.open("w", encoding="ascii") as out:
        for number in range(lines):
            out.write(json.dumps(record(number), separators=(",", ":")) + "\n")


def copy(out: Path) -> None:
    """Receive one connection into a file, and end with it."""
    with socket.create_server(("127.0.0.1", 0)) as server, out.open("wb") as file:
        print(f"listening at 127.0.0.1:{server.getsockname()[1]}", file=sys.stderr, flush=True)
        connection, _ = server.accept()
        with connection:
            while data := connection.recv(BLOCK_BYTES // 4):
                file.write(data)


class Receiver:
    """A receiver in a process of its own."""

    def __init__(self, work: Work, folder: Path) -> None:
        self._log, self._out = folder / "receiver.log", folder / "out"
        self._out.unlink(missing_ok=True)
        with self._log.open("wb") as log:
            self._child = subprocess.Popen(
                work.command(self._out), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log
            )

    def take(self, sent: Path, lines: int) -> Cost:
        """Send it a file, wait until so many lines were written, and end it. SystemExit when they do not come."""
        with socket.create_connection(("127.0.0.1", self._port()), START_S) as sock, sent.open("rb") as file:
            began = time.perf_counter()
            sock.settimeout(ARRIVAL_S)
            sock.sendfile(file)
        self._wait("lines", ARRIVAL_S, lambda: _lines(self._out, lines) >= lines)
        wall_s = time.perf_counter() - began
        os.kill(self._child.pid, signal.SIGTERM)  # nobody has waited for it yet, so the number is still its own
        _, status, used = os.wait4(self._child.pid, 0)
        self._child.returncode = os.waitstatus_to_exitcode(status)
        if self._child.returncode not in (0, -signal.SIGTERM):
            sys.exit(f"exit code {self._child.returncode}:\n{self._log.read_text(encoding='utf-8')}")
        peak = used.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
        return Cost(used.ru_utime + used.ru_stime, wall_s, peak)

    def _port(self) -> int:
        self._wait("listening", START_S, lambda: LISTENING.search(self._log.read_bytes()) is not None)
        found = LISTENING.search(self._log.read_bytes())
        return int(found[1]) if found else 0

    def _wait(self, what: str, wait_s: float, done: Callable[[], bool]) -> None:
        """Wait for something that the receiver does; it may be over with that."""
        deadline, pause = time.monotonic() + wait_s, threading.Event()
        while not done():
            if time.monotonic() > deadline:
                self._child.kill()
                self._child.wait()
                sys.exit(f"still no {what} after {wait_s:g} s:\n{self._log.read_text(encoding='utf-8')}")
            pause.wait(LOOK_S)


def _lines(path: Path, wanted: int) -> int:
    """Count lines, once the file may have so many: none of ours is shorter than 100 bytes."""
    if not path.exists() or path.stat().st_size < wanted * 100:
        return 0
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(BLOCK_BYTES), b""))


class Bench:
    """Input, outputs and figures of one run of the benchmark."""

    def __init__(self, folder: Path, lines: int) -> None:
        self.lines = lines
        self._folder = folder
        self._sent, self._nothing = folder / "sent.jsonl", folder / "nothing"
        build(self._sent, lines)
        self._nothing.touch()
        self.full: dict[str, list[Cost]] = {work.name: [] for work in WORKS}
        self.idle: dict[str, list[float]] = {work.name: [] for work in WORKS}
        self._right: dict[str, str] = {}

    def round(self) -> None:
        """Run everything once, and check what was written."""
        for work in WORKS:
            self.full[work.name].append(Receiver(work, self._folder).take(self._sent, self.lines))
            self._check(work)
            self.idle[work.name].append(Receiver(work, self._folder).take(self._nothing, 0).cpu_s)

    def _check(self, work: Work) -> None:
        out = self._folder / "out"
        if work.name not in self._right:
            compare(self._sent, out, work.adds)
            self._right[work.name] = digest(out)
        if digest(out) != self._right[work.name]:
            sys.exit(f"{work.name}: the output is wrong")

    def table(self) -> str:
        """Return the figures as markdown."""
        rows = [
            "| receiver | CPU-s a million, net | beside | peak MB | events a second | |",
            "|---|---|---|---|---|---|",
        ]
        plain_s = 0.0
        for work in WORKS:
            costs = self.full[work.name]
            nothing_s = spread(self.idle[work.name]).median
            net = spread([(cost.cpu_s - nothing_s) * 1e6 / self.lines for cost in costs])
            plain_s = plain_s or net.median
            beside = "" if work is COPY else f"{net.median / plain_s:.1f} x the copy"
            memory = spread([cost.rss_mb for cost in costs]).median
            speed = self.lines / spread([cost.wall_s for cost in costs]).median
            kept = net.median <= TARGET_S and memory <= TARGET_MB
            verdict = "" if work is COPY else f"≤ {TARGET_S}, ≤ {TARGET_MB} MB: {'kept' if kept else '**missed**'}"
            rows.append(f"| {work.name} | {net} | {beside} | {memory:.0f} | {speed:,.0f} | {verdict} |")
        return "\n".join(rows)


def compare(sent: Path, written: Path, adds: dict[str, str]) -> None:
    """Compare record by record. SystemExit names the first that is wrong."""
    with sent.open("rb") as lines, written.open("rb") as records:
        for number, (line, found) in enumerate(itertools.zip_longest(lines, records), 1):
            if line is None or found is None or json.loads(line) | adds != json.loads(found):
                sys.exit(f"line {number}: {line!r} became {found!r}")


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--copy", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.copy is not None:
        copy(given.copy)
        return
    with tempfile.TemporaryDirectory(prefix="swak-bench-") as folder:
        bench = Bench(Path(folder), given.lines)
        for _ in range(given.rounds):
            bench.round()
    print(f"{machine()}\n{given.lines:,} events, medians of {given.rounds} rounds [least..most]\n\n{bench.table()}")


if __name__ == "__main__":
    main()
