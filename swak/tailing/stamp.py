"""What a path leads to now, and whether the names in a directory may have changed."""

from __future__ import annotations

# ruff: noqa: PTH114, PTH116 - a Path changes spellings, and costs ten times as much
import errno
import os
import stat
import time
from typing import Literal

Kind = Literal["file", "folder", "nothing", "unknown"]

TICK_NS = 2_000_000_000
"""Two changes within one tick of a file system's clock leave one time. 2 s is the coarsest tick (FAT)."""
GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
"""What says that a path leads nowhere. Any other error leaves open what is there: unreadable is not gone."""


class Stamp:
    """What a directory's status was when its names were last looked at."""

    __slots__ = ("_seen_ns", "_settled", "_state")

    def __init__(self) -> None:
        self._state: tuple[int, ...] | None = ()
        self._seen_ns = 0
        self._settled = False

    def moved_on(self, status: os.stat_result | None) -> bool:
        """Take up a status (None: not to be had); tell whether names may have come or gone since the last call.

        So it is, too, when the last change was so recent that another one may bear the same time. The time of the
        last status change counts as well: unlike the other one, nobody can set it back.
        """
        state = status and (status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev)
        if self._settled and state == self._state:
            return False
        now_ns = time.monotonic_ns()
        if state != self._state:
            self._state = state
            self._seen_ns = now_ns
        old = state is None or max(state[:2]) < time.time_ns() - TICK_NS
        self._settled = old or now_ns - self._seen_ns >= TICK_NS  # the clock of a server may be ahead of ours
        return True

    def unsettle(self) -> None:
        """Have the next `moved_on` say yes."""
        self._settled = False


def look_up(path: str) -> tuple[Kind, bool]:
    """Return what a path leads to, and whether it is a symbolic link. A pipe, a device, a socket is nothing."""
    linked = os.path.islink(path)
    return target(path), linked


def target(path: str) -> Kind:
    """Return what a path leads to, through symbolic links."""
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        return "nothing" if error.errno in GONE else "unknown"
    return "folder" if stat.S_ISDIR(mode) else "file" if stat.S_ISREG(mode) else "nothing"
