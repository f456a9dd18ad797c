"""Memory settings of a process that moves batches, made once at its start."""

from __future__ import annotations

import ctypes
import gc
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's mallopt (malloc.h)."""
_KEEP_BYTES = 256 * 1024 * 1024


_YOUNG_MAX = 50_000
"""Objects that may be made before the collector looks at the young ones: a batch makes thousands, none in a cycle."""


def tune() -> None:
    """Make the settings. For processes that are ours: they hold for the whole process."""
    keep_freed_memory()
    gc.freeze()  # what was imported stays, and need not be looked at again
    gc.set_threshold(_YOUNG_MAX, 20, 100)  # measured: a tenth of the CPU of tailing and parsing


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
