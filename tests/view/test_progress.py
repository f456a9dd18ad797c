from __future__ import annotations

from swak.view.model import Process
from swak.view.progress import progress
from tests.view.scenes import frame, stage


def test_a_progress_line_tells_how_it_goes() -> None:
    views = (
        stage("Tail", "input", total=100, oldest_s=3.21),
        stage("Fluentd", "output", "retrying", total=40, mailbox_batches=2, errors=7),
    )
    assert progress(frame(*views, rates={"Tail": 12.4}, uptime_s=60.0, process=Process(12.4, 50 * 2**20))) == {
        "events": 100,
        "events_per_s": 12,
        "dead": 0,
        "errors": 7,
        "oldest_s": 3.2,
        "cpu_percent": 12,
        "rss_mib": 50,
        "bottleneck": "web/Fluentd",
        "troubled": "web/Fluentd retrying",
    }


def test_a_progress_line_tells_what_the_memory_limit_does() -> None:
    views = (stage("Tail", "input", "blocked", memory="waits"), stage("Hold", "buffer", memory="released 3 early"))
    assert progress(frame(*views))["memory"] == "web/Tail waits, web/Hold released 3 early"
    assert "memory" not in progress(frame(stage("Tail", "input")))
