from __future__ import annotations

from typing import TYPE_CHECKING

from swak.metrics.endpoint import Answer, Endpoint
from swak.metrics.exposition import CONTENT_TYPE, Samples
from tests.flows.waiting import until
from tests.servers.prometheus import Prometheus, prometheus

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["prometheus"]

HOSTILE = 'a"b\\c\nd\udc80\x00\u2028{}= 한글'


def test_a_real_prometheus_reads_hostile_labels(prometheus: Prometheus) -> None:
    samples = Samples()
    samples.add("swak_tail_lag_bytes", 7, path=HOSTILE)
    samples.add("swak_draining", 1)
    pages: dict[str, Callable[[], Answer]] = {"/metrics": lambda: Answer(200, samples.text(), CONTENT_TYPE)}
    endpoint = Endpoint("127.0.0.1", 0, pages)
    endpoint.start()
    try:
        prometheus.watch(endpoint.address)
        until(lambda: prometheus.query("swak_draining"), lambda: prometheus.query("up"))
        ((labels, value),) = prometheus.query("swak_tail_lag_bytes")
        assert value == 7
        assert "한글" in labels["path"] or "\\ud55c" in labels["path"]
    finally:
        endpoint.stop()
