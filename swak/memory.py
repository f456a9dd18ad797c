"""The allocator of a process that moves batches: one setting for glibc, at the start."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's mallopt (malloc.h)."""
_KEEP_BYTES = 256 * 1024 * 1024


def keep_freed_memory() -> bool:
    """Tell glibc not to give freed blocks back to the system, only to ask for them again. Return whether it listens.

    Batches are allocated and freed at a steady pace. With glibc's own thresholds the heap's end is trimmed and faulted
    in anew for each of them: up to half of the CPU of some pipelines. The process stays as large as it once was.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # another C library
        return False
    return bool(mallopt(_TRIM_THRESHOLD, _KEEP_BYTES) and mallopt(_MMAP_THRESHOLD, _KEEP_BYTES))
