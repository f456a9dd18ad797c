"""When a file is finished, and under which name: nothing that exists is ever written over."""

from __future__ import annotations

import glob
import os
import re
import sys
import time
from datetime import timedelta
from errno import EEXIST, EINVAL, ENOSYS
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from swak.formats.template import NS, wall_time
from swak.sinks.append import sync_folder

if TYPE_CHECKING:
    from datetime import tzinfo

    from swak.sinks.compress import Kind

STAMPED = re.compile(r"\.\d{8}-\d{6}\.\d{6}(?:\.\d+)?\Z")
"""What rotation puts behind a name: when it was done."""
_ROTATED = re.compile(r"(\.\d{8}-\d{6}\.\d{6}(?:\.\d+)*)(?:\.gz|\.zst)?")
_AT_FDCWD, _RENAME_NOREPLACE = -100, 1


class Rules(NamedTuple):
    """What makes a file a finished one, and what becomes of it then."""

    size_bytes: int | None = None
    every_s: float | None = None
    suffix: str = ""
    """What the name ends with as long as the file is written."""
    compress: Kind | None = None
    zone: tzinfo | None = None
    keep: int | None = None
    """How many rotated files of one path stay."""

    @property
    def finishes(self) -> bool:
        """Whether something is done with a file that is written no more."""
        return bool(self.suffix or self.compress)

    def due(self, size_bytes: int, more_bytes: int, began_ns: int, now_ns: int) -> bool:
        """Tell whether a file must be rotated before `more_bytes` are added to it."""
        if not size_bytes:
            return False
        if self.size_bytes is not None and size_bytes + more_bytes > self.size_bytes:
            return True
        return self.every_s is not None and self._period(began_ns) != self._period(now_ns)

    def _period(self, time_ns: int) -> int:
        """Number the periods, counted from midnight of the zone."""
        assert self.every_s is not None
        offset = wall_time(time_ns, self.zone).utcoffset() or timedelta()
        return int((time_ns / NS + offset.total_seconds()) // self.every_s)

    def leftovers(self, pattern: str, exact: re.Pattern[str] | None = None) -> list[str]:
        """Return files that a process which was killed left unfinished: with the suffix, or rotated and plain.

        `exact` is what names without a suffix look like, where only the time varies: those are finished as well.
        """
        found = glob.glob(f"{pattern}*")  # noqa: PTH207 - a pattern from the root
        return [path for path in found if self._unfinished(path, exact) and Path(path).is_file()]

    def _unfinished(self, path: str, exact: re.Pattern[str] | None) -> bool:
        if self.suffix and path.endswith(self.suffix):
            return True
        plain = not self.suffix and exact is not None and exact.fullmatch(path) is not None
        return self.compress is not None and (plain or STAMPED.search(path) is not None)


def move_aside(path: str, wanted: str, now_ns: int, zone: tzinfo | None, *, stamp: bool) -> str:
    """Rename a file to `wanted` if that is free and no stamp was asked for, else to it with the time behind.

    Whatever has a name keeps it, and of two processes each gets a name of its own.
    """
    stamped = f"{wanted}.{wall_time(now_ns, zone):%Y%m%d-%H%M%S.%f}"
    for number in count(0 if stamp else -1):
        target = wanted if number < 0 else f"{stamped}{f'.{number}' if number else ''}"
        if renamed(path, target):
            sync_folder(Path(target).parent)
            return target
    raise AssertionError("there are always more numbers")


def prune(path: str, keep: int) -> list[str]:
    """Remove the oldest files that were rotated from `path`, compressed or not, until `keep` stay; return them.

    The oldest are those that were written to last the longest ago: stamps in a local zone come twice when clocks go
    back.
    """
    rotated: dict[str, list[Path]] = {}
    for one in Path(path).parent.glob(f"{glob.escape(Path(path).name)}.*"):
        match = _ROTATED.fullmatch(one.name.removeprefix(Path(path).name))
        if match is not None:
            rotated.setdefault(match[1], []).append(one)
    by_age = sorted(rotated, key=lambda stamp: (max(modified_ns(str(one)) for one in rotated[stamp]), stamp))
    removed = []
    for stamp in by_age[: max(0, len(by_age) - keep)]:
        unfinished = [Path(f"{path}{stamp}{ending}.tmp") for ending in (".gz", ".zst")]
        for one in rotated[stamp] + unfinished:
            one.unlink(missing_ok=True)
        removed += [str(one) for one in rotated[stamp]]
    return removed


def renamed(path: str, target: str) -> bool:
    """Rename a file in one step; False when something has the name. OSError: neither name has changed.

    In one step, because others may do the same: of a link and a removal, the removal could hit a file that another
    writer has begun under `path` meanwhile.
    """
    done = _renamed_at_once(path, target)
    if done is not None:
        return done
    try:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))  # nobody else can take it now
    except FileExistsError:
        return False
    try:
        os.replace(path, target)  # noqa: PTH105 - both are text
    except OSError:
        Path(target).unlink()
        raise
    return True


def _renamed_at_once(path: str, target: str) -> bool | None:
    """Rename where the system can do that without replacing; None where it cannot."""
    if sys.platform == "win32":
        try:
            Path(path).rename(target)
        except FileExistsError:
            return False
        return True
    import ctypes  # noqa: PLC0415 - only when a file is finished

    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)  # Linux, glibc 2.28 or newer
    if call is None:
        return None
    if call(_AT_FDCWD, os.fsencode(path), _AT_FDCWD, os.fsencode(target), _RENAME_NOREPLACE) == 0:
        return True
    code = ctypes.get_errno()
    if code in (ENOSYS, EINVAL):  # an old kernel, or a file system that cannot
        return None
    if code == EEXIST:
        return False
    raise OSError(code, os.strerror(code), path)


def modified_ns(path: str) -> int:
    """Return when a file was last written to; now when it is not there."""
    try:
        return Path(path).stat().st_mtime_ns
    except OSError:
        return time.time_ns()
