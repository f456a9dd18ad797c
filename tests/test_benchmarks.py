"""The programs that measure run."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from benchmarks.instructions import BASELINE, judged
from tests.house import ROOT

pytestmark = pytest.mark.skipif(not hasattr(os, "wait4"), reason="counts the CPU time of a child by wait4")


def ran(*command: str) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", *command)
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=55, check=False)


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


def test_a_profile_shows_the_twenty_functions_with_the_most_time() -> None:
    done = ran("benchmarks.hot", "W3", "--events", "3000")
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("| `")]
    assert len(rows) == 20
    assert "encode_lines" in done.stdout


@pytest.mark.parametrize(
    ("count", "code", "said"),
    [(1_090, 0, "+9.0% of 1,000: kept"), (1_110, 1, "more than a tenth above"), (800, 0, "record a new one")],
)
def test_more_instructions_than_the_baseline_fail(
    count: int, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert judged({"W1": count}, {"W1": 1_000}) == code
    assert said in capsys.readouterr().out


def test_the_baseline_holds_both_workloads_for_each_kind_of_machine() -> None:
    kinds = json.loads(BASELINE.read_text(encoding="utf-8"))
    assert kinds
    assert all(counts.keys() == {"W1", "W2"} and min(counts.values()) > 100 for counts in kinds.values())
