"""Looking at folders that swak would write to: the data directory, and those of a recipe. Nothing is made."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from swak.audit import RUNNING, state_of
from swak.background.places import of_this_user
from swak.datadir import DataDir, Owner, read_id
from swak.doctor.finding import Finding
from swak.errors import StateError
from swak.homes import choose, kept, roots_here

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

AREA = "data directory"
NO_ID = "there is none yet: the first start makes it"
ROOM_LOW_BYTES = 1 << 30
ROOM_MIN_BYTES = 64 << 20
REMOTE = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs"}
VOLATILE = {"tmpfs", "ramfs"}


def home() -> Iterator[Finding]:
    """Yield where an agent of this user keeps what, and what decided on that."""
    named = os.environ.get("SWAK_HOME")
    why = "SWAK_HOME is set" if named else "SWAK_HOME is not set: as this platform is used to"
    try:
        places, at = of_this_user()[0], roots_here()
    except StateError as error:
        yield Finding(AREA, "home", "failed", str(error))
        return
    below = f"{at.own.parent}: " if named else ""
    what = f"{below}data in {at.own}, sockets in {places.run}, logs in {places.logs} ({why})"
    yield Finding(AREA, "home", "ok", what)


def data_directory(option: str | None, owner: Owner | None = None, flows: Sequence[str] = ()) -> Iterator[Finding]:
    """Yield what there is to say of the directory that `swak up` would use, for a recipe or for any."""
    yield from home()
    try:
        data_dir = choose(owner, flows, option) if owner is not None else DataDir.resolve(option)
        kept_by = [one.owner.name for one in kept() if one.owner is not None] if owner is None and not option else []
    except StateError as error:
        yield Finding(AREA, "path", "failed", str(error))
        return
    path = data_dir.path
    yield Finding(AREA, "path", "ok", f"{path} (from {data_dir.why})")
    if kept_by:
        yield Finding(AREA, "agents", "ok", f"{', '.join(kept_by)}: each has a folder of its own")
    if conflict := data_dir.conflict():
        yield Finding(AREA, "owner", "failed", conflict)
    if owner is not None or option:
        found = read_id(path)
        yield Finding(AREA, "agent id", "ok", found) if found else Finding(AREA, "agent id", "note", NO_ID)
    yield writable(AREA, path, "make it writable for the user that runs swak, or name another one with --data-dir")
    yield room(AREA, path)
    yield file_system(AREA, path)
    yield from _used(data_dir)


def standing(path: Path) -> Path:
    """Return the path, or the nearest folder above it that is there."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def writable(area: str, folder: Path, mend: str) -> Finding:
    """Tell whether files could be made in a folder, which may have to be made, too."""
    there = standing(folder)
    made = "" if there == folder else " (it would be made)"
    if not there.is_dir():
        return Finding(area, str(folder), "failed", f"{there} is no folder", mend)
    if not os.access(there, os.W_OK | os.X_OK):
        return Finding(area, str(folder), "failed", f"{there} cannot be written to{made}", mend)
    return Finding(area, str(folder), "ok", f"can be written to{made}")


def room(area: str, folder: Path) -> Finding:
    """Tell how much room is left where a folder is."""
    free = shutil.disk_usage(standing(folder)).free
    what = f"{free >> 20} MiB are free"
    if free < ROOM_MIN_BYTES:
        return Finding(area, "room", "failed", what, "make room: neither positions nor dead letters can be kept")
    if free < ROOM_LOW_BYTES:
        return Finding(area, "room", "warning", what, "spools and dead letters may take up to 1 GiB each")
    return Finding(area, "room", "ok", what)


def file_system(area: str, folder: Path) -> Finding:
    """Tell what kind of file system a folder is on."""
    kind = kind_of(standing(folder))
    if kind in REMOTE:
        mend = "use a local disk: locks and syncs of remote ones cannot be relied on"
        return Finding(area, "file system", "warning", kind, mend)
    if kind in VOLATILE:
        return Finding(area, "file system", "warning", kind, "use a disk: this is gone with a reboot")
    return Finding(area, "file system", "ok", kind or "unknown")


def kind_of(path: Path) -> str:
    """Return the kind of the file system that a path is on; empty where that cannot be told."""
    import psutil  # noqa: PLC0415 - 26 ms that `--help` does not pay

    real = Path(os.path.realpath(path))
    found, longest = "", -1
    for one in psutil.disk_partitions(all=True):
        mount = Path(one.mountpoint)
        if real.is_relative_to(mount) and len(mount.parts) >= longest:
            found, longest = one.fstype, len(mount.parts)
    return found


def _used(data_dir: DataDir) -> Iterator[Finding]:
    """Yield who uses the directory now, as its ledger tells; the lock is not touched, as that would be in the way."""
    ledger = data_dir.ledger()
    try:
        held = ledger.look() if ledger is not None else {}
    except (StateError, OSError) as error:
        yield Finding(AREA, "ledger", "warning", str(error))
        return
    if held and state_of(held["run"]) == RUNNING:
        pid = held["run"]["pid"]
        yield Finding(AREA, "lock", "note", f"process {pid} uses it", "another swak needs a --data-dir of its own")
    else:
        yield Finding(AREA, "lock", "ok", "nobody uses it")
