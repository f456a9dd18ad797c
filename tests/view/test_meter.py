from __future__ import annotations

from swak.view.meter import Meter


def test_a_meter_reads_this_process() -> None:
    told = Meter().read()
    assert told.rss_bytes > 1_000_000
    assert told.cpu_percent >= 0
