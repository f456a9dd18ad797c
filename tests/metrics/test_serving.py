from __future__ import annotations

import urllib.request

from swak import in_, out, running, task
from swak.metrics.exposition import CONTENT_TYPE
from swak.metrics.observed import Observed
from swak.metrics.serving import KEPT_S, Pages, serving
from swak.testing import FakeClock
from tests.metrics.looks import stage


def test_a_run_is_looked_at_no_more_often_than_that() -> None:
    looks: list[Observed] = []

    def look() -> Observed:
        looks.append(Observed((stage("File", "output"),)))
        return looks[-1]

    clock = FakeClock()
    pages = Pages(look, clock.monotonic)
    for page in (pages.metrics, pages.healthz, pages.readyz, pages.metrics):
        assert page().status == 200
    assert len(looks) == 1
    clock.advance(KEPT_S)
    pages.metrics()
    assert len(looks) == 2


def test_what_is_not_ready_is_told_with_503() -> None:
    pages = Pages(lambda: Observed((stage("File", "output", "opening"),)))
    assert pages.readyz() == (503, "web/File: has not opened yet\n", "text/plain; charset=utf-8")
    assert pages.healthz().status == 200


def test_a_program_can_serve_the_metrics_of_its_run() -> None:
    recipe = task(in_.Memory([]), out.Null(), name="web")
    with (
        running(recipe) as run,
        serving(run, "127.0.0.1", 0) as endpoint,
        urllib.request.urlopen(f"http://{endpoint.address}/metrics", timeout=20) as answer,
    ):
        text = answer.read().decode()
        assert answer.headers["Content-Type"] == CONTENT_TYPE
    assert 'swak_sink_up{flow="web",actor="Null"}' in text
