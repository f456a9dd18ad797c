"""Appends lines that carry the time: `python -m benchmarks.writer FILE LINES_PER_S LINES_PER_WRITE SECONDS`."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

PADDING = b" GET /articles/127.html HTTP/1.1 200 5647 some more text, so that a line is about as long as a real one\n"


def write(path: Path, lines_per_s: int, lines_per_write: int, seconds: float) -> None:
    """Append at an even pace. Every line begins with the time of its write, in nanoseconds since 1970."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    pause_s = lines_per_write / lines_per_s
    due = time.monotonic()
    end = due + seconds
    try:
        while due < end:
            os.write(descriptor, (b"%d" % time.time_ns() + PADDING) * lines_per_write)
            due += pause_s
            time.sleep(max(0.0, due - time.monotonic()))
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
