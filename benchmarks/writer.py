"""Appends lines that carry the time: `python -m benchmarks.writer LINES_PER_S LINES_PER_WRITE SECONDS FILE...`."""

from __future__ import annotations

import os
import sys
import time
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

PADDING = b" GET /articles/127.html HTTP/1.1 200 5647 some more text, so that a line is about as long as a real one\n"


def write(paths: Sequence[Path], lines_per_s: float, lines_per_write: int, seconds: float) -> int:
    """Append to the files in turn, at an even pace. Return how many lines were written.

    Every line begins with the time of its write, in nanoseconds since 1970.
    """
    descriptors = [os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600) for path in paths]
    turns = cycle(descriptors)
    pause_s = lines_per_write / lines_per_s
    writes = max(1, round(seconds / pause_s))
    due = time.monotonic()
    try:
        for _ in range(writes):
            os.write(next(turns), (b"%d" % time.time_ns() + PADDING) * lines_per_write)
            due += pause_s
            time.sleep(max(0.0, due - time.monotonic()))
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
    return writes * lines_per_write


if __name__ == "__main__":
    named = [Path(path) for path in sys.argv[4:]]
    print(write(named, float(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
