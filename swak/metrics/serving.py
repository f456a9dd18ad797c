"""The pages of `swak up --metrics`: /metrics, /healthz and /readyz of one run."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from swak.log import get
from swak.metrics.endpoint import Answer, Endpoint
from swak.metrics.exposition import CONTENT_TYPE
from swak.metrics.families import samples_of
from swak.metrics.health import ailments, obstacles
from swak.metrics.observed import observe
from swak.metrics.process import Meter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from swak.actors.running import Run
    from swak.metrics.observed import Observed

KEPT_S = 0.25
"""How long a look at the run serves all who ask: a crowd costs no more than four looks a second."""

log = get("swak.metrics")


class Pages:
    """What the endpoint tells of a run."""

    def __init__(self, look: Callable[[], Observed], now: Callable[[], float] = time.monotonic) -> None:
        self._look = look
        self._now = now
        self._meter = Meter()
        self._kept: tuple[float, Observed] | None = None
        self._text: tuple[Observed, str] | None = None

    def by_path(self) -> dict[str, Callable[[], Answer]]:
        """Return the pages."""
        return {"/metrics": self.metrics, "/healthz": self.healthz, "/readyz": self.readyz}

    def metrics(self) -> Answer:
        """Return all metrics as Prometheus reads them."""
        observed = self._observed()
        if self._text is None or self._text[0] is not observed:
            self._text = observed, samples_of(observed, self._meter.read()).text()
        return Answer(200, self._text[1], CONTENT_TYPE)

    def healthz(self) -> Answer:
        """Tell whether the process is alive."""
        return _judged(ailments(self._observed()))

    def readyz(self) -> Answer:
        """Tell whether the run does its work."""
        return _judged(obstacles(self._observed()))

    def _observed(self) -> Observed:
        now = self._now()
        if self._kept is None or now - self._kept[0] >= KEPT_S:
            self._kept = now, self._look()
        return self._kept[1]


def _judged(found: list[str]) -> Answer:
    return Answer(503, "".join(f"{one}\n" for one in found)) if found else Answer(200, "ok\n")


@contextmanager
def serving(run: Run, host: str, port: int) -> Iterator[Endpoint]:
    """Serve the pages of a run while the body goes on. OSError: the address cannot be had."""
    began_s = time.monotonic()
    endpoint = Endpoint(host, port, Pages(lambda: observe(run, began_s)).by_path())
    endpoint.start()
    try:
        log.info("metrics", address=f"http://{endpoint.address}/metrics")
        yield endpoint
    finally:
        endpoint.stop()
