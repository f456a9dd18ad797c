"""What each parser costs beside its own regular expression or splitter: `python -m benchmarks.parsers [LINES]`.

Both read the same blocks of 256 KiB: the bare way decodes, splits into lines and takes each line apart, and keeps
nothing. Figures are CPU seconds a million lines; the median of several rounds, in which the two take turns.
"""

from __future__ import annotations

import csv
import re
import sys
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from swak.ack import Source
from swak.bench.measure import machine, spread
from swak.event import BLOCK_BYTES, Batch, Block, Rows
from swak.formats.pairs import LOGFMT
from swak.formats.syslog import RFC3164, RFC5424
from swak.plugins.filters.apache import Apache
from swak.plugins.filters.convert import Convert
from swak.plugins.filters.csv import Csv
from swak.plugins.filters.drop import Drop
from swak.plugins.filters.grep import Grep
from swak.plugins.filters.json import Json
from swak.plugins.filters.kv import Kv
from swak.plugins.filters.logfmt import Logfmt
from swak.plugins.filters.ltsv import Ltsv
from swak.plugins.filters.nginx import Nginx
from swak.plugins.filters.reform import Reform
from swak.plugins.filters.regex import Regex
from swak.plugins.filters.syslog import Syslog
from swak.plugins.filters.time import Time
from swak.plugins.filters.tsv import Tsv
from swak.plugins.filters.w3c import W3C

if TYPE_CHECKING:
    from collections.abc import Callable

    from swak.plugin import Filter

LINES = 100_000
ROUNDS = 5
TARGET = 2.2
NS = 10**9
AT_NS = 1_795_223_247 * NS

_AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/120.0 Safari/537.36"
_FIELDS = (
    "date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) sc-status time-taken"
)
VALUES = ["time", "host", "method", "path", "status", "size", "took", "agent"]
_WORDS = r"^(?P<time>\S+) (?P<level>\w+) (?P<logger>[^:]+): (?P<message>.*)$"


class Case(NamedTuple):
    """One parser, a line for it, and the bare way to take such lines apart."""

    plugin: Filter
    line: Callable[[int], str]
    bare: Callable[[list[str]], object]


def clock(n: int) -> str:
    """Return the time of line `n`: a hundred lines a second."""
    return time.strftime("%H:%M:%S", time.gmtime(n // 100))


def access(n: int) -> str:
    """Return a line of an access log."""
    head = f'10.0.{n % 256}.{n % 251} - - [21/Nov/2026:{clock(n)} +0000] "GET /p/{n}?q={n % 97} HTTP/1.1"'
    return f'{head} 200 {n % 9_000} "https://example.com/{n % 50}" "{_AGENT}"'


def found(pattern: str | re.Pattern[str], *, whole: bool = True) -> Callable[[list[str]], object]:
    """Return the bare way of a regular expression."""
    compiled = re.compile(pattern)
    find = compiled.fullmatch if whole else compiled.search
    return lambda lines: [match.groups() for line in lines if (match := find(line)) is not None]


def cut(separator: str) -> Callable[[list[str]], object]:
    """Return the bare way of a separator."""
    return lambda lines: [line.split(separator) for line in lines]


def pairs(between: str, equals: str) -> Callable[[list[str]], object]:
    """Return the bare way of pairs."""
    return lambda lines: [[pair.split(equals, 1) for pair in line.split(between)] for line in lines]


def valued(n: int) -> list[str]:
    """Return the values of line `n`, one for each of VALUES."""
    return [f"2026-11-21T{clock(n)}Z", f"10.0.0.{n % 256}", "GET", f"/p/{n}", "200", str(n % 9_000), "0.004", "curl/8"]


def labelled(n: int, between: str, equals: str) -> str:
    """Return a line of pairs."""
    return between.join(f"{name}{equals}{value}" for name, value in zip(VALUES, valued(n), strict=True))


def log(n: int) -> str:
    """Return a line of logfmt."""
    return f'ts=2026-11-21T{clock(n)}Z level=info caller=main.go:{n % 500} msg="request served" path=/p/{n} took=4ms'


def iis(n: int) -> str:
    """Return a line of IIS."""
    return f"2026-11-21 {clock(n)} 10.0.0.1 GET /p/{n} q={n} 443 - 10.1.{n % 256}.7 {_AGENT.replace(' ', '+')} 200 15"


def rfc3164(n: int) -> str:
    """Return a line of syslog, the old kind."""
    return f"<34>Nov 21 {clock(n)} web-{n % 9} sshd[{n % 30_000}]: Accepted publickey for ada from 10.0.0.{n % 256}"


def rfc5424(n: int) -> str:
    """Return a line of syslog, the new kind."""
    return f"<165>1 2026-11-21T{clock(n)}.003Z web-{n % 9} app {n % 30_000} ID47 - request {n} was served in 4 ms"


def program(n: int) -> str:
    """Return a line of a program's own log."""
    return f"2026-11-21T{clock(n)}Z INFO swak.web.server: request {n} was served in 4 ms"


def cases() -> dict[str, Case]:
    """Return every parser with its lines."""
    plugin = Apache()
    plugin.open()
    combined = plugin.choose(access(0), alone=False, escaped=False)[0]

    def bare(lines: list[str]) -> object:
        return [combined.groups(match) for line in lines if (match := combined.find(line)) is not None]

    return {
        "Nginx": Case(Nginx(), access, bare),
        "Apache": Case(Apache(), access, bare),
        "Regex": Case(Regex(_WORDS, time_field="time"), program, found(_WORDS, whole=False)),
        "W3C": Case(W3C(fields=_FIELDS.split()), iis, cut(" ")),
        "Csv": Case(Csv(VALUES), lambda n: ",".join(valued(n)), lambda lines: list(csv.reader(lines))),
        "Tsv": Case(Tsv(VALUES), lambda n: "\t".join(valued(n)), cut("\t")),
        "Ltsv": Case(Ltsv(), lambda n: labelled(n, "\t", ":"), pairs("\t", ":")),
        "Logfmt": Case(Logfmt(), log, lambda lines: [LOGFMT.findall(line) for line in lines]),
        "Kv": Case(Kv(between="; "), lambda n: labelled(n, "; ", "="), pairs("; ", "=")),
        "Syslog, RFC 3164": Case(Syslog(), rfc3164, lambda lines: [m.groups() for m in map(RFC3164.find, lines) if m]),
        "Syslog, RFC 5424": Case(Syslog(), rfc5424, lambda lines: [m.groups() for m in map(RFC5424.find, lines) if m]),
        "Json": Case(
            Json(),
            lambda n: msgspec.json.encode(dict(zip(VALUES, valued(n), strict=True))).decode(),
            lambda lines: list(map(msgspec.json.Decoder(dict[str, Any]).decode, lines)),
        ),
    }


def blocks(line: Callable[[int], str], lines: int) -> list[Block]:
    """Return generated lines in blocks, as an input reads them."""
    made, part, size = [], [], 0
    for n in range(lines):
        part.append(line(n).encode() + b"\n")
        size += len(part[-1])
        if size >= BLOCK_BYTES or n == lines - 1:
            made.append(Block(b"".join(part), AT_NS))
            part, size = [], 0
    return made


def parsed_s(plugin: Filter, bodies: list[Any]) -> tuple[float, list[Any]]:
    """Return what the filter cost for these bodies, and what it made of them. SystemExit when a line is dead."""
    source = Source("bench")
    batches = [Batch(body, "bench", source.register(n, n, body.count)) for n, body in enumerate(bodies)]
    plugin.open()
    began = time.process_time()
    outcomes = [plugin.process_batch(batch) for batch in batches]
    took_s = time.process_time() - began
    source.closed = True
    plugin.close()
    dead = [one for outcome in outcomes for one in outcome.dead]
    if dead:
        sys.exit(f"{plugin.name}: {dead[0].reason}: {dead[0].event}")
    return took_s, [body for outcome in outcomes for body, _ in outcome.parts]


def bare_s(bare: Callable[[list[str]], object], bodies: list[Block]) -> float:
    """Return what the bare way cost for these blocks."""
    began = time.process_time()
    for body in bodies:
        lines = body.data.decode("utf-8", "replace").split("\n")
        lines.pop()
        bare(lines)
    return time.process_time() - began


def main(lines: int) -> None:
    """Print a table of parsers, and one of filters."""
    print(f"{machine()}; {lines} lines, {ROUNDS} rounds\n")
    print("| Parser | CPU-s/M | its own regex or splitter alone | ratio |\n|---|---|---|---|")
    worst = 0.0
    for name, case in cases().items():
        bodies = blocks(case.line, lines)
        mine, theirs = [], []
        for _ in range(ROUNDS):
            mine.append(parsed_s(case.plugin, bodies)[0] * 1e6 / lines)
            theirs.append(bare_s(case.bare, bodies) * 1e6 / lines)
        ratio = spread(mine).median / spread(theirs).median
        worst = max(worst, ratio)
        print(f"| {name} | {spread(mine)} | {spread(theirs)} | {ratio:.2f} |")
    print(f"\nWorst ratio {worst:.2f}, target {TARGET}\n")
    raw = blocks(access, lines)
    rows = parsed_s(Nginx(), raw)[1]
    assert all(isinstance(body, Rows) for body in rows)
    filters: dict[str, tuple[Filter, list[Any]]] = {
        'Grep("p/1"), raw lines': (Grep("p/1"), raw),
        'Grep({"request": "p/1"}), rows': (Grep({"request": "p/1"}), rows),
        'Drop("status >= 500"), rows': (Drop("status >= 500"), rows),
        'Convert({"status": "int", "body_bytes_sent": "int"}), rows': (
            Convert({"status": "int", "body_bytes_sent": "int"}),
            rows,
        ),
        'Time("time_local", "clf"), rows': (Time("time_local", "clf"), rows),
        'Reform({"host": "${hostname}"}, delete=["request"]), rows': (
            Reform({"host": "${hostname}"}, delete=["request"]),
            rows,
        ),
    }
    print("| Filter | CPU-s/M |\n|---|---|")
    for name, (plugin, bodies) in filters.items():
        figures = [parsed_s(plugin, bodies)[0] * 1e6 / lines for _ in range(ROUNDS)]
        print(f"| `{name}` | {spread(figures)} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else LINES)
