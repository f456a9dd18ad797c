"""Which paths the tags and fields of events may make: none that cannot be written, and not too many."""

from __future__ import annotations

import os
import stat
from errno import ELOOP, ENAMETOOLONG, ENOTDIR
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from swak.clock import Clock
    from swak.sinks.pathname import PathTemplate

HOUR_NS = 3_600 * 1_000_000_000


class Admission:
    """Looks at each path that is not open."""

    def __init__(self, template: PathTemplate, suffix: str, paths_max: int, clock: Clock) -> None:
        """`suffix`: what is added to paths; `paths_max`: how many tags and fields may make within an hour."""
        self._template = template
        self._suffix = suffix
        self._paths_max = paths_max
        self._clock = clock
        self._hour = 0
        self._paths: set[str] = set()

    def hopeless(self, path: str) -> str:
        """Say why the tag or a field of an event makes a path that cannot be written, now or later; else nothing."""
        template = self._template
        if not (template.by_tag or template.by_field):
            return ""
        name = path + self._suffix
        try:
            kind = os.stat(name).st_mode  # noqa: PTH116 - a Path costs five times as much
        except OSError as error:
            own = error.errno in (ENAMETOOLONG, ELOOP) or (error.errno == ENOTDIR and os.path.isdir(template.folder))  # noqa: PTH112 - see above
            if own:
                return f"the event's path cannot be: {error.strerror} ({name[:300]})"
        else:
            if not stat.S_ISREG(kind):
                return f"the event's path leads to a folder or a device ({name})"
        hour = self._clock.time_ns() // HOUR_NS
        if hour != self._hour:
            self._hour, self._paths = hour, set()
        if path not in self._paths and len(self._paths) >= self._paths_max:
            return f"more than {self._paths_max} files within an hour; if that is meant, raise paths_max"
        self._paths.add(path)
        return ""
