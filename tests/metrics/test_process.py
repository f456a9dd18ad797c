from __future__ import annotations

import os

import psutil

from swak.metrics.catalogue import BY_NAME
from swak.metrics.process import Meter


def test_everything_that_is_read_is_in_the_catalogue() -> None:
    assert set(Meter().read()) <= set(BY_NAME)


def test_it_is_this_process_that_is_read() -> None:
    found = Meter().read()
    assert found["process_start_time_seconds"] == psutil.Process(os.getpid()).create_time()
    assert found["process_resident_memory_bytes"] > 1_000_000
    assert found["process_open_fds"] > 0
