"""What the system says of this process, under the names that all Prometheus clients use."""

from __future__ import annotations

from typing import Any


class Meter:
    """Reads CPU, memory and descriptors of this process. psutil is imported with the first reading."""

    def __init__(self) -> None:
        self._process: Any = None

    def read(self) -> dict[str, float]:
        """Return the values by metric. What this system does not tell is left out."""
        import psutil  # noqa: PLC0415 - 26 ms, and nobody may ever ask

        if self._process is None:
            self._process = psutil.Process()
        process = self._process
        with process.oneshot():
            cpu, memory = process.cpu_times(), process.memory_info()
            found: dict[str, float] = {
                "process_cpu_seconds_total": cpu.user + cpu.system,
                "process_resident_memory_bytes": memory.rss,
                "process_virtual_memory_bytes": memory.vms,
                "process_start_time_seconds": process.create_time(),
                "process_threads": process.num_threads(),
            }
        found["process_open_fds"] = process.num_handles() if psutil.WINDOWS else process.num_fds()
        if hasattr(process, "rlimit"):  # Linux and FreeBSD
            found["process_max_fds"] = process.rlimit(psutil.RLIMIT_NOFILE)[0]
        return found
