"""From what was observed to the values of all metrics."""

from __future__ import annotations

import platform
import sys
from collections import Counter
from typing import TYPE_CHECKING, get_args

from swak import __version__
from swak.latency import BOUNDS_S
from swak.ledger import shortages
from swak.metrics.catalogue import MEASURES
from swak.metrics.exposition import Samples
from swak.metrics.observed import lags_of
from swak.reloading.outcome import Ending

if TYPE_CHECKING:
    from collections.abc import Mapping

    from swak.metrics.observed import Observed
    from swak.stats import InputReceipt, StageView

PATHS_MAX = 200
"""Files of one input that have a series of their own, those with the greatest lag; the rest is one sum."""
REASON_CHARS = 100
UP = frozenset({"running", "blocked", "over", "removed"})
ENDINGS = get_args(Ending)

NOT_KEPT = "read, and gone with the seat that had it"
"""Why events of an input that cannot read again were dropped."""


def samples_of(observed: Observed, process: Mapping[str, float]) -> Samples:
    """Return the values of all metrics. `process`: what `Meter` read, by metric."""
    samples = Samples()
    info = {"version": __version__, "python": platform.python_version(), "platform": sys.platform}
    samples.add("swak_build_info", 1, **info)
    samples.add("swak_agent_info", 1, id=observed.agent_id)
    samples.add("swak_uptime_seconds", observed.uptime_s)
    samples.add("swak_supervisor_turn_age_seconds", observed.turn_age_s)
    samples.add("swak_draining", int(observed.draining))
    samples.add("swak_dead_letters_dropped_total", observed.dead_dropped)
    samples.add("swak_memory_bytes", observed.memory_bytes)
    if observed.memory_limit_bytes is not None:
        samples.add("swak_memory_limit_bytes", observed.memory_limit_bytes)
    for ending in ENDINGS:
        samples.add("swak_reloads_total", observed.reloads.get(ending, 0), outcome=ending)
    samples.add("swak_reload_last_success_timestamp_seconds", observed.reloaded_at_s)
    for view in observed.views:
        _stage(samples, view)
    _flows(samples, observed)
    for one in observed.inputs:
        _input(samples, one, observed)
    for (flow, actor), measures in observed.measures.items():
        for name, value in measures.items():
            if name in MEASURES:
                samples.add(MEASURES[name], value, flow=flow, actor=actor)
            else:
                samples.add("swak_plugin_measure", value, flow=flow, actor=actor, measure=name)
    for name, value in process.items():
        samples.add(name, value)
    return samples


def _stage(samples: Samples, view: StageView) -> None:
    where = {"flow": view.flow, "actor": view.stage}
    kind = {**where, "kind": view.kind}
    tally = view.tally
    # What is held may be put back and come in once more: a counter must not go back with it.
    samples.add("swak_actor_events_in_total", tally.into - tally.held, **kind)
    samples.add("swak_actor_events_out_total", tally.out, **kind)
    samples.add("swak_actor_events_made_total", tally.made, **kind)
    samples.add("swak_actor_events_merged_total", tally.merged, **kind)
    samples.add("swak_actor_events_held", tally.held, **kind)
    for reason, count in tally.filtered.copy().items():
        samples.add("swak_events_dropped_total", count, **where, reason=_cut(reason), intentional="true")
    for reason, count in tally.dead.copy().items():
        samples.add("swak_dead_letters_total", count, **where, reason=_cut(reason))
    samples.add("swak_errors_total", view.errors, **where)
    samples.add("swak_actor_restarts_total", view.restarts, **where)
    if view.kind == "output":
        samples.add("swak_retries_total", view.retries, **where)
        samples.add("swak_sink_up", int(view.state in UP), **where)
        samples.add("swak_sink_down_seconds", view.down_s or 0.0, **where)
    if view.kind != "input":
        samples.add("swak_mailbox_batches", view.mailbox_batches, **where)
        samples.add("swak_mailbox_events", view.waiting, **where)
        samples.add("swak_mailbox_bytes", view.mailbox_bytes, **where)
        samples.add("swak_mailbox_fill_ratio", view.fill, **where)


def _flows(samples: Samples, observed: Observed) -> None:
    missing: Counter[str] = Counter()
    for one in shortages(observed.views):
        missing[one.where] += abs(one.missing)
    for view in observed.views:
        count = missing[f"{view.flow}/{view.stage}"]
        samples.add("swak_unaccounted_events", count, flow=view.flow, actor=view.stage)
    oldest = {view.flow: view.oldest_s or 0.0 for view in observed.views}
    for flow, age_s in oldest.items():
        samples.add("swak_oldest_unsettled_seconds", age_s, flow=flow)
        samples.add("swak_flow_failed", int(flow in observed.failed), flow=flow)


def _input(samples: Samples, one: InputReceipt, observed: Observed) -> None:
    key = one.flow, one.stage
    where = {"flow": one.flow, "actor": one.stage}
    lost = observed.lost.get(key, 0)
    samples.add("swak_input_events_delivered_total", one.delivered, **where)
    samples.add("swak_input_events_in_flight", one.will_replay + one.lost - lost, **where)
    if not one.replays:
        samples.add("swak_events_dropped_total", lost, **where, reason=NOT_KEPT, intentional="false")
    for what, count in one.losses.items():
        reason, _, unit = what.rpartition(", ")
        if unit == "bytes":
            samples.add("swak_tail_lost_bytes_total", count, **where, reason=_cut(reason))
        elif unit == "events":
            samples.add("swak_events_dropped_total", count, **where, reason=_cut(reason), intentional="false")
        else:
            samples.add("swak_input_lost_total", count, **where, reason=_cut(reason), unit=unit)
    spread = observed.latencies.get(key)
    if spread is not None:
        samples.add_spread("swak_delivery_latency_seconds", spread.counts, BOUNDS_S, spread.sum_s, **where)
    for path, lag_bytes in lags(observed, key).items():
        samples.add("swak_tail_lag_bytes", lag_bytes, **where, path=path)


def lags(observed: Observed, key: tuple[str, str]) -> dict[str, int]:
    """Return the bytes of each file that an input has not read, of the many files of one that has them summed up."""
    return lags_of(observed.extents.get(key, {}), PATHS_MAX)


def _cut(reason: str) -> str:
    return reason if len(reason) <= REASON_CHARS else reason[: REASON_CHARS - 1] + "…"
