"""The workloads: what each reads, does and writes, how its output is judged, and what it is meant to cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from swak.bench import checks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from swak.bench.corpus import Corpus

RSS_MAX_MB = 70.0
P99_MAX_MS = 15.0
IDLE_MAX_PERCENT = 0.3
PEERS_SHARE = 1 / 3
"""What W1 to W3 may cost beside the best of the peers."""

MOBILE = '''from swak import Filter


class Mobile(Filter):
    """Tell whether a telephone asked, the way that a user writes it: event by event."""

    def process(self, event):
        event.record["mobile"] = "Mobile" in event.record["http_user_agent"]
        return event


'''


class Target(NamedTuple):
    """CPU-seconds a million events that a workload may cost: `factor` times another row, and `plus`."""

    plus: float = 0.0
    factor: float = 0.0
    of: str = ""

    def __str__(self) -> str:
        parts = [f"{self.factor:g} x {self.of}"] if self.of else []
        return " + ".join([*parts, *([f"{self.plus:g}"] if self.plus else [])])


class Workload(NamedTuple):
    """One thing to measure."""

    name: str
    does: str
    recipe: str
    """As for `swak up`, with $log, $many, $out, $out2, $out3, $state and $port."""
    source: Literal["log", "many", "json", "frames"]
    judge: Callable[[Corpus, list[Path]], None]
    target: Target
    to: Literal["file", "sink"] = "file"
    outs: int = 1
    filtered: bool = False
    """Whether some events are dropped on purpose."""
    same: bool = True
    """Whether each run writes the same bytes, so that later ones can be compared with the first by their hash."""

    @property
    def listens(self) -> bool:
        """Whether events come over the network; else the run ends by itself."""
        return self.source in {"json", "frames"}


TAIL = "in_.FileTailing($log, follow=False)"
PARSED = f"{TAIL} | out.Nginx()"
WRITTEN = "out.File($out)"
ALL = (
    Workload(
        "W1",
        "tail → file, raw",
        f'{TAIL} | out.File($out, format="raw")',
        "log",
        checks.raw,
        Target(factor=3, of="cat"),
    ),
    Workload(
        "W2",
        "tail → Nginx with time → JSON lines",
        f"{PARSED} | {WRITTEN}",
        "log",
        checks.log_parsed,
        Target(factor=1.8, of="re"),
    ),
    Workload(
        "W3",
        "W2, 404 dropped, hostname added",
        f'{PARSED} | out.Drop("status == 404") | out.Reform({{"host": "${{hostname}}"}}) | {WRITTEN}',
        "log",
        checks.some_named,
        Target(0.5, 1, "W2"),
        filtered=True,
    ),
    Workload(
        "W4",
        "JSON over TCP → JSON lines",
        f'in_.Tcp(0, codec="json", host_field=None) | {WRITTEN}',
        "json",
        checks.json_parsed,
        Target(2.4),
    ),
    Workload(
        "W4p",
        "JSON over TCP, passed through",
        'in_.Tcp(0, host_field=None) | out.File($out, format="raw")',
        "json",
        checks.json_raw,
        Target(0.6),
    ),
    Workload(
        "W5a",
        "tail → Fluentd, with acks",
        f'{TAIL} | out.Fluentd("127.0.0.1", $port)',
        "log",
        checks.entries,
        Target(0.8),
        to="sink",
        same=False,
    ),
    Workload(
        "W5b",
        "Forward, with acks → JSON lines",
        f"in_.Forward(port=0) | {WRITTEN}",
        "frames",
        checks.log_parsed,
        Target(2.2),
    ),
    Workload(
        "W6",
        "W2 through a synced spool",
        f"{PARSED} | out.DiskBuffer($state) | {WRITTEN}",
        "log",
        checks.log_parsed,
        Target(1.2, 1, "W2"),
    ),
    Workload(
        "W7",
        "W2 with a user's filter, per event",
        f"{PARSED} | out.Mobile() | {WRITTEN}",
        "log",
        checks.marked,
        Target(1.5, 1, "W2"),
    ),
    Workload(
        "W8",
        "W2 to three outputs",
        f"{PARSED} | [{WRITTEN}, out.File($out2), out.File($out3)]",
        "log",
        checks.log_parsed,
        Target(factor=2, of="W2"),
        outs=3,
    ),
    Workload(
        "W9",
        "W2 over 64 files",
        f"in_.FileTailing($many, follow=False) | out.Nginx() | {WRITTEN}",
        "many",
        checks.by_file,
        Target(factor=1.3, of="W2"),
        same=False,
    ),
)
LATENCY = "L1"
NAMES = [*(one.name for one in ALL), LATENCY]
