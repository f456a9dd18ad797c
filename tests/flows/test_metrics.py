"""Metrics of a whole agent, scraped by a real Prometheus, against the ledger."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from swak import running, task
from swak.metrics.catalogue import ALL, BY_NAME
from swak.metrics.families import samples_of
from swak.metrics.observed import observe
from swak.testing import Fault, FlakyOutput
from tests.faults.flow import Numbers
from tests.flows.parts import StumblingHold, Thirds
from tests.flows.waiting import until
from tests.servers.prometheus import Prometheus, prometheus

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["prometheus"]

COUNT = 5_000
RECIPE = """
from swak import in_, out, task
task(
    in_.FileTailing("app.log", max_line=100),
    out.Regex(r"(?P<kind>\\w+) (?P<n>\\d+)"),
    out.Grep({"kind": "keep"}),
    out.DiskBuffer("spool"),
    out.File("out.json"),
    name="web",
)
"""
COUNTER = re.compile(r"^(\w+_(?:total|bucket|count)(?:{.*})?) (\S+)$", re.MULTILINE)
UNSEEN = {"swak_input_lost_total", "swak_memory_limit_bytes", "swak_plugin_measure"}
"""Metrics that this recipe has no reason to tell."""

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


class Agent:
    """`swak up --metrics 0` in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        command = [sys.executable, "-m", "swak", "up", "--metrics", "0", "--data-dir", "data", "--no-view"]
        with (folder / "log").open("wb") as log:
            environment = {**os.environ, "SWAK_LOG_FORMAT": "json"}
            self.process = subprocess.Popen([*command, "recipe.py"], cwd=folder, stderr=log, env=environment)
        until(self._address, (folder / "log").read_text)
        self.address = self._address()

    def _address(self) -> str:
        found = re.search(r'"address": "http://([^/]+)/metrics"', (self.folder / "log").read_text())
        return found[1] if found else ""

    def stop(self) -> dict[str, Any]:
        """Have it drained, and return what the audit says then."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) == 0, (self.folder / "log").read_text()
        command = [sys.executable, "-m", "swak", "audit", "--data-dir", "data", "--json"]
        told = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=30, check=False)
        found: dict[str, Any] = json.loads(told.stdout)
        return found


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    (tmp_path / "recipe.py").write_text(RECIPE)
    lines = [("keep" if n % 3 else "drop") + f" {n}" if n % 10 else "!" for n in range(COUNT)]
    (tmp_path / "app.log").write_text("\n".join(lines) + "\n" + "keep 1" + "x" * 200 + "\n")
    started = Agent(tmp_path)
    try:
        yield started
    finally:
        started.process.kill()
        started.process.wait(20)


@posix
def test_every_figure_that_prometheus_has_agrees_with_the_ledger(agent: Agent, prometheus: Prometheus) -> None:
    prometheus.watch(agent.address)
    settled = f"swak_input_events_delivered_total == {COUNT + 1}"
    behind = (
        "sum(swak_spool_batches) == 0 and sum(swak_input_events_in_flight) == 0 and sum(swak_actor_events_held) == 0"
    )
    until(
        lambda: prometheus.query(settled) and prometheus.query(behind), lambda: prometheus.query("swak_spool_batches")
    )
    figures = {
        (labels["__name__"], labels["flow"], labels["actor"]): value
        for labels, value in prometheus.query('{__name__=~"swak_actor_events_.*|swak_input_events_.*|swak_unacc.*"}')
    }
    reasons = {
        (labels["__name__"], labels["actor"], labels["reason"]): value
        for labels, value in prometheus.query('{__name__=~"swak_events_dropped_total|swak_dead_letters_total"}')
        if value
    }
    seen = {labels["__name__"] for labels, _ in prometheus.query('{job="swak"}')}
    kinds = prometheus.kinds()
    audit = agent.stop()

    assert audit["unaccounted"] == []
    for where, told in audit["stages"].items():
        flow, _, actor = where.rpartition("/")
        shown = {
            what: figures[f"swak_actor_events_{what}_total", flow, actor] for what in ("in", "out", "made", "merged")
        }
        assert shown == {what: told[what] for what in shown}, where
        assert figures["swak_unaccounted_events", flow, actor] == 0
        for what, name in (("filtered_by", "swak_events_dropped_total"), ("dead_by", "swak_dead_letters_total")):
            for reason, count in told.get(what, {}).items():
                assert reasons.pop((name, actor, reason)) == count
    assert not reasons
    for where, told in audit["inputs"].items():
        flow, _, actor = where.rpartition("/")
        assert figures["swak_input_events_delivered_total", flow, actor] == told["delivered"]
    whole = {re.sub(r"_(bucket|sum|count)$", "", name) if name not in BY_NAME else name for name in seen}
    assert {metric.name for metric in ALL} - whole == UNSEEN
    assert {name: kind for name, kind in kinds.items() if name in BY_NAME} == {
        metric.name: metric.kind for metric in ALL if metric.name not in UNSEEN
    }


def test_no_counter_goes_back_while_seats_die_and_outputs_fail() -> None:
    faults = [Fault(OSError, at=3), Fault(hang=True, at=9), Fault(SystemExit, at=15), Fault(OSError, at=20, times=3)]
    sink = FlakyOutput(faults, pending=True)
    last: dict[str, float] = {}
    looks = 0
    with running(task(Numbers(2_000), Thirds(), StumblingHold(at=400), sink, name="web"), hang_after_s=0.3) as run:
        while True:
            over = run.wait(0.002)
            found = {
                series: float(value) for series, value in COUNTER.findall(samples_of(observe(run, 0.0), {}).text())
            }
            assert [series for series, value in last.items() if found.get(series, -1.0) < value] == []
            last, looks = found, looks + 1
            if over:
                break
        delivered = run.receipt().inputs[0].delivered
    assert looks > 10
    assert last['swak_input_events_delivered_total{flow="web",actor="Numbers"}'] == delivered == 2_000
    assert last['swak_delivery_latency_seconds_count{flow="web",actor="Numbers"}'] == 2_000
    assert last['swak_actor_restarts_total{flow="web",actor="FlakyOutput"}'] >= 1
    assert last['swak_retries_total{flow="web",actor="FlakyOutput"}'] >= 4
