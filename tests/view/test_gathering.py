from __future__ import annotations

import time
from typing import TYPE_CHECKING

from swak import failover, in_, out, running, task
from swak.testing import Fault, FlakyOutput, event
from swak.view.gathering import Gatherer
from swak.view.model import key
from tests.flows.waiting import until

if TYPE_CHECKING:
    from pathlib import Path


def test_the_lag_of_each_tailed_file_is_told(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("a line\n" * 10)
    with running(task(in_.FileTailing(str(log)), out.Null(), name="web")) as run:
        gatherer = Gatherer(run, time.monotonic())

        def read() -> bool:
            gatherer.hurry()
            return dict(gatherer.look().figures["web", "FileTailing"].lags) == {str(log): 0}

        until(read, lambda: gatherer.look().figures)
        found = gatherer.look()
        assert found.figures["web", "FileTailing"].latency is not None
        assert found.process is not None
        assert found.uptime_s >= 0


def test_a_failover_tells_its_children_and_those_that_are_down() -> None:
    down = FlakyOutput([Fault(OSError, times=None)])
    source = in_.Memory([event({"n": 1})], follow=True)
    with running(task(source, failover(down, out.Null()), name="web")) as run:
        gatherer = Gatherer(run, time.monotonic())

        def told() -> bool:
            gatherer.hurry()
            return gatherer.look().figures["web", "Failover"].down == ("FlakyOutput",)

        until(told, lambda: gatherer.look().figures)
        figures = gatherer.look().figures
        assert figures["web", "Failover"].children == ("FlakyOutput", "Null")
        assert figures["web", "Null"].router == "Failover"
        source.end()


def test_both_ends_of_a_spool_are_inner_ones_and_it_tells_its_size(tmp_path: Path) -> None:
    source = in_.Memory([event({"n": 1})], follow=True)
    with running(task(source, out.DiskBuffer(str(tmp_path / "spool")), out.Null(), name="web")) as run:
        gatherer = Gatherer(run, time.monotonic())

        def told() -> bool:
            gatherer.hurry()
            return any(one.spool is not None for one in gatherer.look().figures.values())

        until(told, lambda: gatherer.look().figures)
        figures = gatherer.look().figures
        assert [view.stage for view in gatherer.look().views if not figures[key(view)].inner] == ["Memory", "Null"]
        source.end()


def test_plugins_are_not_asked_at_every_look() -> None:
    asked: list[str] = []

    class Told(FlakyOutput):
        """Counts how often it is asked."""

        def measures(self) -> dict[str, float]:
            asked.append("measures")
            return {}

    source = in_.Memory([], follow=True)
    with running(task(source, Told([]), name="web")) as run:
        until(lambda: run.crew.posts[-1].lease.plugin is not None, "a plugin")
        gatherer = Gatherer(run, time.monotonic())
        for _ in range(3):
            gatherer.look()
        assert asked == ["measures"]
        gatherer.hurry()
        gatherer.look()
        assert asked == ["measures"] * 2
        source.end()


def test_a_plugin_that_fails_to_tell_is_named_and_counts_no_error() -> None:
    class Mute(FlakyOutput):
        """Tells nothing."""

        def measures(self) -> dict[str, float]:
            raise ValueError("broken")

    source = in_.Memory([], follow=True)
    with running(task(source, Mute([]), name="web")) as run:
        gatherer = Gatherer(run, time.monotonic())
        until(lambda: run.crew.posts[-1].lease.plugin is not None, "a plugin")
        look = gatherer.look()
        assert look.figures["web", "Mute"].trouble == "cannot tell its figures: ValueError: broken"
        assert look.views[-1].errors == 0
        source.end()
