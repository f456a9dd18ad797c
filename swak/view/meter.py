"""CPU and memory of this process."""

from __future__ import annotations

from swak.view.model import Process


class Meter:
    """Reads CPU and memory of this process. Making one imports psutil."""

    def __init__(self) -> None:
        import psutil  # noqa: PLC0415 - 26 ms, and a short run needs none

        self._process = psutil.Process()
        self._process.cpu_percent()

    def read(self) -> Process:
        """Return CPU since the last reading, and resident memory."""
        return Process(self._process.cpu_percent(), self._process.memory_info().rss)
