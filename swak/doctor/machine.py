"""Looking at the machine: Python, system, limits, memory, clock, and the versions of optional clients."""

from __future__ import annotations

import platform
import sys
import time
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from swak import __version__
from swak.doctor.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

AREA = "machine"
OPEN_FILES_MIN = 4096
"""Below that a few thousand files to follow are closed and opened again and again."""
WATCHES_MIN = 8192
"""Linux' own default of old: one watch a directory, of all programs of the user."""
INSTANCES_MIN = 128
MEMORY_MIN_BYTES = 128 << 20
STEP_S = 0.05
"""The wall clock stepped if it moved that much against the monotonic one while we looked."""
EARLIEST_NS = 1_704_067_200_000_000_000
"""2024-01-01: a clock that says less was never set."""


class ClockLook:
    """Looks at the clocks at the start and at the end."""

    def __init__(self) -> None:
        self._apart_s = time.time() - time.monotonic()

    def finding(self) -> Finding:
        """Tell whether the wall clock is plausible, and whether it stepped since the start."""
        stepped_s = time.time() - time.monotonic() - self._apart_s
        zone = f"{time.strftime('%Y-%m-%d %H:%M:%S %z')} ({'/'.join(dict.fromkeys(time.tzname))})"
        if time.time_ns() < EARLIEST_NS:
            return Finding(AREA, "clock", "warning", f"it says {zone}", "set it: events get their time from it")
        if abs(stepped_s) > STEP_S:
            what = f"{zone}; it stepped by {stepped_s:+.2f} s while we looked"
            return Finding(AREA, "clock", "warning", what, "have one program only set the clock, and slew it")
        return Finding(AREA, "clock", "ok", zone)


def machine() -> Iterator[Finding]:
    """Yield what there is to say of the machine."""
    yield Finding(AREA, "swak", "ok", __version__)
    yield Finding(AREA, "Python", "ok", f"{platform.python_version()} at {sys.executable}")
    yield Finding(AREA, "system", "ok", platform.platform())
    yield from open_files()
    yield from inotify(Path("/proc/sys/fs/inotify"))
    yield memory(cgroup_limit(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")))
    yield zones("Asia/Seoul")
    yield from clients()


def open_files() -> Iterator[Finding]:
    """Yield how many files may be open."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - POSIX only

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    what = f"{soft}, up to {'any number' if hard == resource.RLIM_INFINITY else hard}"
    if hard != resource.RLIM_INFINITY and hard < OPEN_FILES_MIN:
        yield Finding(AREA, "open files", "warning", what, "raise the limit: ulimit -Hn, LimitNOFILE= of systemd")
    else:
        yield Finding(AREA, "open files", "ok", what)


def inotify(folder: Path) -> Iterator[Finding]:
    """Yield the limits of inotify, where there is such a thing."""
    for name, least in (("max_user_watches", WATCHES_MIN), ("max_user_instances", INSTANCES_MIN)):
        try:
            limit = int((folder / name).read_text(encoding="ascii"))
        except (OSError, ValueError):
            continue  # another system, or a container that hides it: FileTailing compares sizes then
        subject = f"inotify {name}"
        if limit < least:
            mend = f"sysctl fs.inotify.{name}={least}; until then sizes are compared, which costs more"
            yield Finding(AREA, subject, "warning", str(limit), mend)
        else:
            yield Finding(AREA, subject, "ok", str(limit))


def cgroup_limit(own: Path, root: Path) -> int | None:
    """Return the bytes of memory that the control group (version 2) of this process may take, if that is limited."""
    try:
        path = next(line[3:] for line in own.read_text(encoding="utf-8").splitlines() if line.startswith("0::"))
    except (OSError, StopIteration):
        return None
    limits = []
    folder = root / path.lstrip("/")
    for one in (folder, *folder.parents):
        try:
            text = (one / "memory.max").read_text(encoding="ascii").strip()
        except OSError:
            text = "max"  # the root has none
        if text.isdigit():
            limits.append(int(text))
        if one == root:
            break
    return min(limits, default=None)


def memory(limit_bytes: int | None) -> Finding:
    """Return how much memory there is."""
    import psutil  # noqa: PLC0415 - 26 ms that `--help` does not pay

    whole = psutil.virtual_memory()
    what = f"{whole.available >> 20} of {whole.total >> 20} MiB available"
    usable = whole.available
    if limit_bytes is not None:
        what += f"; the control group may take {limit_bytes >> 20} MiB"
        usable = min(usable, limit_bytes)
    if usable < MEMORY_MIN_BYTES:
        return Finding(AREA, "memory", "warning", what, "give more, or bound events with --memory-limit")
    mend = "bound events with --memory-limit, or the kernel may kill swak" if limit_bytes is not None else ""
    return Finding(AREA, "memory", "ok", what, mend)


def zones(name: str) -> Finding:
    """Tell whether names of time zones can be used."""
    try:
        ZoneInfo(name)
    except ZoneInfoNotFoundError:
        return Finding(AREA, "time zones", "note", "there are no data of time zones", "pip install tzdata")
    return Finding(AREA, "time zones", "ok", "their data are here")


def clients() -> Iterator[Finding]:
    """Yield the version of each optional package, by extra."""
    for line in requires("swak") or []:
        need, _, condition = line.partition(";")
        extra = condition.partition("extra == ")[2].strip(" '\"")
        name = need.split(" ")[0].partition(">")[0].partition("=")[0].partition("[")[0].strip()
        if not extra or extra in {"test", "dev"} or name == "swak":
            continue
        try:
            yield Finding(AREA, f"swak[{extra}]", "ok", f"{name} {version(name)}")
        except PackageNotFoundError:
            yield Finding(AREA, f"swak[{extra}]", "note", f"{name} is not installed", f"pip install 'swak[{extra}]'")
