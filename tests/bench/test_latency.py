"""L1."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from swak.bench.agent import Load
from swak.bench.latency import measured, row

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="counts the CPU time of a child by wait4")
def test_a_short_look_has_a_row_for_each_load_and_compares_the_output(tmp_path: Path) -> None:
    rows = measured(tmp_path / "latency", 0.1, 0.1)
    assert [one.name for one in rows] == [
        "first line after 0.1 s of quiet",
        "1,000 lines/s, 1 a write",
        "20,000 lines/s, 20 a write",
    ]
    assert all(0 < one.p50_ms <= one.p99_ms <= one.most_ms for one in rows)


def test_a_row_shows_the_middle_the_last_hundredth_and_the_end() -> None:
    made = row("x", Load([float(age) for age in range(1, 101)], 2.5))
    assert made == ("x", 51.0, 100.0, 100.0, 2.5)
