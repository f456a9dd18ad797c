"""Every metric that swak exposes: its name, kind and meaning. docs/metrics.md is held against this."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Metric(NamedTuple):
    """One metric."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    doc: str
    """One line, for `# HELP`."""


ALL = (
    Metric("swak_build_info", "gauge", "Always 1; the labels say which swak runs on what."),
    Metric("swak_agent_info", "gauge", "Always 1; the label tells this agent from all others, restart after restart."),
    Metric("swak_uptime_seconds", "gauge", "How long the run has gone on."),
    Metric("swak_supervisor_turn_age_seconds", "gauge", "Time since the supervisor's loop turned last."),
    Metric("swak_reloads_total", "counter", "How often the recipe was loaded again, by what came of it."),
    Metric(
        "swak_reload_last_success_timestamp_seconds",
        "gauge",
        "When a reload was fine last, in seconds since 1970; 0 before the first.",
    ),
    Metric("swak_draining", "gauge", "1 once the run is to end, else 0."),
    Metric("swak_actor_events_in_total", "counter", "Events that came into a stage and are done with there."),
    Metric("swak_actor_events_out_total", "counter", "Events that a stage handed on; of an output: delivered."),
    Metric("swak_actor_events_made_total", "counter", "Events that a stage made besides those that came in."),
    Metric("swak_actor_events_merged_total", "counter", "Events that became a part of other events."),
    Metric("swak_actor_events_held", "gauge", "Events that a stage holds: a buffer's, or written and not yet synced."),
    Metric("swak_events_dropped_total", "counter", "Events that went no further, on purpose (filters) or not."),
    Metric("swak_dead_letters_total", "counter", "Events that a stage could not take; they are kept as dead letters."),
    Metric("swak_dead_letters_dropped_total", "counter", "Dead letters that were lost because their store was full."),
    Metric("swak_unaccounted_events", "gauge", "Events that should be there and are not. Must be 0: a bug otherwise."),
    Metric("swak_errors_total", "counter", "Errors that a stage met, dead letters among them."),
    Metric("swak_retries_total", "counter", "How often an output put something off to try it again."),
    Metric("swak_sink_up", "gauge", "1 if an output can deliver, 0 while it is opening, down, or failed."),
    Metric("swak_sink_down_seconds", "gauge", "How long an output has delivered nothing since its first failure."),
    Metric("swak_actor_restarts_total", "counter", "How often a stage's seat died or hung, and was replaced."),
    Metric("swak_flow_failed", "gauge", "1 while a flow is stopped after too many restarts."),
    Metric("swak_mailbox_batches", "gauge", "Batches that wait before a stage."),
    Metric("swak_mailbox_events", "gauge", "Events that wait before a stage."),
    Metric("swak_mailbox_bytes", "gauge", "Memory of what waits before a stage."),
    Metric("swak_mailbox_fill_ratio", "gauge", "0 to 1: the fuller of a mailbox's two bounds."),
    Metric("swak_input_events_delivered_total", "counter", "Events of an input that are settled."),
    Metric("swak_input_events_in_flight", "gauge", "Events of an input that were read and are not settled."),
    Metric(
        "swak_input_lost_total", "counter", "What an input could not take or keep, where it is counted in no bytes."
    ),
    Metric("swak_oldest_unsettled_seconds", "gauge", "Age of a flow's oldest batch that is not settled; 0 for none."),
    Metric(
        "swak_delivery_latency_seconds", "histogram", "From reading an event until it and all before it are settled."
    ),
    Metric("swak_tail_lag_bytes", "gauge", "Bytes of a file that were seen and not read yet."),
    Metric("swak_tail_lost_bytes_total", "counter", "Bytes that an input could not take or keep."),
    Metric("swak_spool_batches", "gauge", "Batches in a spool that are not settled."),
    Metric("swak_spool_bytes", "gauge", "What a spool has on disk."),
    Metric("swak_spool_limit_bytes", "gauge", "What a spool may have on disk."),
    Metric(
        "swak_spool_oldest_seconds",
        "gauge",
        "Age of the oldest batch that was taken out of a spool and is not settled.",
    ),
    Metric("swak_plugin_measure", "gauge", "What else a plugin tells of itself, by name."),
    Metric("swak_memory_bytes", "gauge", "Memory that events take."),
    Metric("swak_memory_limit_bytes", "gauge", "Memory that events may take (--memory-limit)."),
    Metric("process_cpu_seconds_total", "counter", "CPU time of the process, user and system."),
    Metric("process_resident_memory_bytes", "gauge", "Resident memory of the process."),
    Metric("process_virtual_memory_bytes", "gauge", "Virtual memory of the process."),
    Metric("process_start_time_seconds", "gauge", "When the process began, in seconds since 1970."),
    Metric("process_threads", "gauge", "Threads of the process."),
    Metric("process_open_fds", "gauge", "Open file descriptors (handles on Windows)."),
    Metric("process_max_fds", "gauge", "How many file descriptors the process may open."),
)

BY_NAME = {metric.name: metric for metric in ALL}

MEASURES = {
    "spool_batches": "swak_spool_batches",
    "spool_bytes": "swak_spool_bytes",
    "spool_limit_bytes": "swak_spool_limit_bytes",
    "spool_oldest_s": "swak_spool_oldest_seconds",
}
"""What plugins tell by `measures`, and the metric that it becomes; anything else is a `swak_plugin_measure`."""
