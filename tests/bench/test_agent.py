"""Agents that are looked at from outside."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from swak.bench.agent import Load, agent, counted
from swak.bench.faults import BenchError

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not hasattr(os, "wait4"), reason="counts the CPU time of a child by wait4")


def test_what_arrives_is_seen_from_outside(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.write_text("1 first\n", encoding="utf-8")
    with agent(tmp_path, f"in_.FileTailing({str(log)!r}), {counted(tmp_path)}", arrive=1) as one:
        with log.open("a", encoding="utf-8") as more:
            more.write("2 second\n3 third\n")
        one.wait_for(3)
        assert (one.arrived, one.rss_mb > 10, one.idle_percent(0.05) >= 0) == (3, True, True)


def test_an_agent_that_cannot_run_is_told_with_its_log(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="Nonsense"), agent(tmp_path, "in_.Nonsense()", arrive=1):
        pass


def test_ages_are_taken_by_their_share() -> None:
    assert [Load([1.0, 2.0, 3.0, 4.0], 0).within_ms(share) for share in (0.0, 0.5, 1.0)] == [1.0, 3.0, 4.0]
