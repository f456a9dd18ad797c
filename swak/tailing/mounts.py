"""Noticing that something was mounted or unmounted: no directory tells of that."""

from __future__ import annotations

import os
import select
from typing import Any

from swak.log import get

log = get("swak.tailing")


class Mounts:
    """A descriptor that is ready to be read when the mounts of this system changed (Linux).

    The kernel reports a change as priority data of /proc/self/mountinfo, and reports it once. Elsewhere, and without
    /proc, `fd` is -1 and nothing is ever told.
    """

    def __init__(self) -> None:
        self.fd = -1
        self._table = -1
        self._changes: Any = None
        self.noted = False
        """Whether somebody found `fd` ready: that alone takes the report away."""
        make = getattr(select, "epoll", None)
        if make is None:
            return
        try:
            self._table = os.open("/proc/self/mountinfo", os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            log.debug("mounts are not noticed", error=str(error))
            return
        self._changes = make()
        self._changes.register(self._table, select.EPOLLPRI)
        self.fd = self._changes.fileno()

    def changed(self) -> bool:
        """Tell whether mounts changed since the last call. Never waits."""
        noted, self.noted = self.noted, False
        return noted or (self._changes is not None and bool(self._changes.poll(0)))

    def close(self) -> None:
        """Let the descriptors go."""
        if self._changes is not None:
            self._changes.close()
            os.close(self._table)
            self._changes, self.fd = None, -1
