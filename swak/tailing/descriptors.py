"""How many files this process may hold open."""

from __future__ import annotations

import sys

RESERVED = 128
"""Descriptors that are left to outputs, checkpoints and logs."""
UNLIMITED = 1 << 20


def open_files_max() -> int:
    """Raise the soft limit of open files to the hard one, and return how many of them may be tailed files."""
    if sys.platform == "win32":
        return UNLIMITED
    import resource  # noqa: PLC0415 - there is none on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = UNLIMITED if hard == resource.RLIM_INFINITY else hard
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return max(1, (UNLIMITED if soft == resource.RLIM_INFINITY else soft) - RESERVED)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):  # macOS has a lower limit of its own
        wanted = soft
    return max(1, wanted - RESERVED)
