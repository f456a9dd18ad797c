from __future__ import annotations

import time
from typing import TYPE_CHECKING

from swak import in_, out, running, task
from swak.metrics.families import samples_of
from swak.metrics.observed import observe
from swak.testing import Fault, FlakyOutput, event
from tests.flows.waiting import until

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_observed_agrees_with_the_receipt() -> None:
    recipe = task(in_.Memory([event({"n": n}) for n in range(10)]), out.Grep({"n": "[0-6]"}), out.Null(), name="web")
    with running(recipe) as run:
        assert run.wait(20)
        samples = samples_of(observe(run, time.monotonic()), {})
        for view in run.receipt().stages:
            where = {"flow": view.flow, "actor": view.stage, "kind": view.kind}
            assert samples.value("swak_actor_events_in_total", **where) == view.tally.into
            assert samples.value("swak_actor_events_out_total", **where) == view.tally.out
            assert samples.value("swak_unaccounted_events", flow=view.flow, actor=view.stage) == 0
        assert samples.value("swak_input_events_delivered_total", flow="web", actor="Memory") == 10
        assert samples.value("swak_delivery_latency_seconds_count", flow="web", actor="Memory") == 10
        dropped = {"flow": "web", "actor": "Grep", "reason": "Grep", "intentional": "true"}
        assert samples.value("swak_events_dropped_total", **dropped) == 3


def test_an_output_that_cannot_deliver_is_down_and_counts_its_tries() -> None:
    flaky = FlakyOutput([Fault(OSError, times=2)])
    with running(task(in_.Memory([event({"n": 1})]), flaky, name="web")) as run:
        assert run.wait(20)
        (view,) = [one for one in observe(run, 0.0).views if one.kind == "output"]
        assert view.retries == 2
        assert view.down_s is None  # it is up again


def test_what_waits_in_a_spool_grows_old(tmp_path: Path) -> None:
    source = in_.Memory([event({"n": 1})], follow=True)
    never = FlakyOutput([Fault(OSError, times=None)])
    with running(task(source, out.DiskBuffer(str(tmp_path / "spool")), never, name="web")) as run:

        def told() -> bool:
            found = [one for one in observe(run, 0.0).measures.values() if one.get("spool_batches") == 1]
            return bool(found) and found[0]["spool_oldest_s"] > 0

        until(told, lambda: observe(run, 0.0).measures)
        run.stop(now=True)
        assert run.wait(20)


def test_a_spool_tells_how_much_is_in_it(tmp_path: Path) -> None:
    source = in_.Memory([event({"n": n}) for n in range(10)], follow=True)
    with running(task(source, out.DiskBuffer(str(tmp_path / "spool")), out.Null(), name="web")) as run:

        def told() -> bool:
            measures = observe(run, 0.0).measures
            return any(one.get("spool_batches") == 0 and one["spool_bytes"] > 0 for one in measures.values())

        until(told, lambda: observe(run, 0.0).measures)
