"""The table of workloads."""

from __future__ import annotations

from swak.bench.workloads import ALL, NAMES, Target
from swak.commands.bench import bench


def test_every_workload_is_explained_by_the_help() -> None:
    assert NAMES == ["W1", "W2", "W3", "W4", "W4p", "W5a", "W5b", "W6", "W7", "W8", "W9", "L1"]
    assert all(f"{name} " in (bench.help or "") for name in NAMES)


def test_every_target_is_beside_a_row_that_is_measured() -> None:
    assert {one.target.of for one in ALL} <= {"", "cat", "re", "W2"}


def test_a_target_says_what_it_is() -> None:
    assert [str(one) for one in (Target(2.4), Target(0.5, 1, "W2"), Target(factor=3, of="cat"))] == [
        "2.4",
        "1 x W2 + 0.5",
        "3 x cat",
    ]
