"""Long writes past the kernel's cache of pages, where the system and the file's own allow it."""

from __future__ import annotations

import mmap
import os
import queue
import sys
import time
from errno import EINVAL, ENOTSUP

if sys.platform != "win32":
    import fcntl

ALIGN_BYTES = 4096
"""Where such a write begins and ends in the file, and where in memory: no disk in use has larger blocks."""
LEAST_BYTES = 128 * 1024
"""Shorter ones are not worth it: they wait for the disk one by one, and somebody may be reading along."""
MOST_BYTES = 1024 * 1024
SLOW_BYTES_S = 50e6
PATIENCE_S = 0.5
"""How far such writes may fall behind SLOW_BYTES_S: on a disk far away, many pages at a time are faster."""

_FLAG = getattr(os, "O_DIRECT", 0)
_BUFFERS: queue.SimpleQueue[mmap.mmap] = queue.SimpleQueue()
"""Memory that begins at a page, as such writes need it; who writes takes one, and gives it back."""


class Direct:
    """Whether a file can be written to past the cache, and the writing.

    A page of cache costs memory, a copy, and the work to find and free it again; and a virtual machine may have to get
    that memory from its host. What an agent writes in bulk is seldom read soon. 180 MB of lines, synced every 8 MiB,
    took 0.30 to 0.57 CPU-s in writes of 128 KiB, and 0.12 past the cache in such of 256 KiB.
    """

    def __init__(self) -> None:
        self.usable = bool(_FLAG)
        self._late_s = 0.0

    def write(self, fd: int, data: memoryview) -> int:
        """Append whole blocks of `data`, as many as one write takes, to a file that ends where a block does.

        Return the number of bytes, which the disk has then, but for the length of the file: that wants a sync.
        0 where it cannot be: nothing was written, and it need not be tried again.
        """
        size_bytes = min(len(data), MOST_BYTES) // ALIGN_BYTES * ALIGN_BYTES
        try:
            buffer = _BUFFERS.get_nowait()
        except queue.Empty:
            buffer = mmap.mmap(-1, MOST_BYTES)
        try:
            buffer[:size_bytes] = data[:size_bytes]
            began_s = time.monotonic()
            done = self._write(fd, memoryview(buffer)[:size_bytes])
            late_s = time.monotonic() - began_s - size_bytes / SLOW_BYTES_S
            self._late_s = max(0.0, self._late_s + late_s)
            self.usable = done > 0 and self._late_s < PATIENCE_S
            return done
        finally:
            _BUFFERS.put(buffer)

    def _write(self, fd: int, blocks: memoryview) -> int:
        flags = fcntl.fcntl(fd, fcntl.F_GETFL)
        try:
            fcntl.fcntl(fd, fcntl.F_SETFL, flags | _FLAG)
            return os.write(fd, blocks)
        except OSError as error:
            if error.errno not in (EINVAL, ENOTSUP):  # a file system that cannot, or an end that somebody moved
                raise
            return 0
        finally:
            fcntl.fcntl(fd, fcntl.F_SETFL, flags)
