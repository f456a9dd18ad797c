"""The benchmarks run, and they judge what was written."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from benchmarks.sockets import build, compare
from tests.house import ROOT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not hasattr(os, "wait4"), reason="counts the CPU time of a child by wait4")

SAMPLE = ROOT / "recipes" / "data" / "access.log"


def ran(*command: str) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", *command)
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=55, check=False)


def test_one_short_round_prints_every_row() -> None:
    done = ran("benchmarks.run", "--lines", "1000", "--rounds", "1")
    assert done.returncode == 0, done.stderr
    rows = ("`cat", "W1:", "`re`", "W2:", "start", "`swak --help`")
    assert all(any(line.startswith(f"| {row}") for line in done.stdout.splitlines()) for row in rows)


def test_a_short_look_at_latency_prints_every_row() -> None:
    done = ran("benchmarks.latency", "--seconds", "0.1", "--quiet", "0.1", "--rounds", "1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n| ") == 4


def test_a_quick_look_at_tailing_prints_every_row() -> None:
    done = ran("benchmarks.tailing", "--quick")
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("| ")][1:]
    parts = (
        "idle, 100 files",
        "RSS above",
        "a line to each",
        "half of all read",
        "→ one file",
        "first line",
        "writes/s",
    )
    assert all(any(part in row for row in rows) for part in parts)
    assert all(row.count("|") == 5 for row in rows)


def test_a_part_of_tailing_can_be_measured_alone() -> None:
    done = ran("benchmarks.tailing", "--quick", "--part", "backlog")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n| ") == 3


@pytest.mark.parametrize("spoil", ["a record short", "a wrong record", "a record too many"])
def test_a_wrong_output_is_noticed(spoil: str, tmp_path: Path) -> None:
    log, out = tmp_path / "access.log", tmp_path / "out.jsonl"
    log.write_bytes(b"".join(SAMPLE.read_bytes().splitlines(keepends=True)[:100]))
    recipe = f"in_.FileTailing({str(log)!r}) | out.Nginx() | out.File({str(out)!r})"
    assert ran("swak", "up", "--once", "--ephemeral", "-e", recipe).returncode == 0
    assert ran("benchmarks.checks", str(log), str(out)).returncode == 0
    records = out.read_bytes().splitlines(keepends=True)
    spoiled = {
        "a record short": records[:-1],
        "a wrong record": [records[0].replace(b"GET", b"PUT"), *records[1:]],
        "a record too many": [*records, records[-1]],
    }
    out.write_bytes(b"".join(spoiled[spoil]))
    assert ran("benchmarks.checks", str(log), str(out)).returncode == 1


def test_a_short_round_over_sockets_prints_every_row() -> None:
    done = ran("benchmarks.sockets", "--lines", "1000", "--rounds", "1")
    assert done.returncode == 0, done.stderr
    assert all(row in done.stdout for row in ("\n| plain copy:", "\n| W4:", "\n| the same, with the sender's address"))


@pytest.mark.parametrize("spoil", ["a record short", "a wrong record"])
def test_a_wrong_output_of_a_socket_is_noticed(spoil: str, tmp_path: Path) -> None:
    sent, written = tmp_path / "sent", tmp_path / "written"
    build(sent, 10)
    compare(sent, sent, {})
    lines = sent.read_bytes().splitlines(keepends=True)
    written.write_bytes(b"".join(lines[:-1] if spoil == "a record short" else [*lines[:-1], b"{}\n"]))
    with pytest.raises(SystemExit, match="line 10"):
        compare(sent, written, {})
