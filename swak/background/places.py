"""Where agents keep their sockets, process ids and logs: below `$SWAK_HOME`, or where the platform has such things."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from swak.datadir import state_home
from swak.errors import Problem, StateError

if TYPE_CHECKING:
    from collections.abc import Mapping

SOCKET_PATH_MAX = 103
"""Bytes that the path of a Unix socket may have everywhere: 104 with the closing zero on macOS, 108 on Linux."""


class Places(NamedTuple):
    """One pair of folders that may be used."""

    run: Path
    """For process ids and sockets: they end with the machine."""
    logs: Path

    def folders(self) -> list[Path]:
        """Return the folders that are made for it, the innermost first."""
        return [self.logs, self.run, self.run.parent]


def candidates(platform: str, environ: Mapping[str, str], uid: int | None) -> list[Places]:
    """Return the folders that may be used, the best ones first. Touches nothing."""
    if home := environ.get("SWAK_HOME"):
        at = Path(os.path.abspath(os.path.expanduser(home)))  # noqa: PTH100, PTH111 - neither resolves links nor raises
        return [Places(at / "run", at / "logs")]
    state = state_home(platform, environ, uid)
    own = Places(state / "run", state / "logs")
    if platform == "win32":
        return [Places(state.parent / "run", state.parent / "logs")]
    if platform == "darwin":
        return [own._replace(logs=state.parents[1] / "Logs" / "swak")]
    if uid == 0:
        return [Places(Path("/run/swak"), Path("/var/log/swak")), own]
    runtime = Path(environ.get("XDG_RUNTIME_DIR") or f"/run/user/{uid}")  # where a session has it that does not say so
    return [Places(runtime / "swak", own.logs), own] if runtime.is_absolute() else [own]


def of_this_user() -> list[Places]:
    """Return the folders that may be used by this process. Touches nothing."""
    uid = os.geteuid() if hasattr(os, "geteuid") else None
    return candidates(sys.platform, os.environ, uid)


def usable(among: list[Places] | None = None) -> Places:
    """Make the first folders that can be made, for their owner only, and return them. StateError when none can."""
    wrong = []
    for places in of_this_user() if among is None else among:
        try:
            private_folder(places.run)
            places.logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            wrong.append(f"{places.run}: {error.strerror or error}")
        else:
            return places
    mend = "make it a writable folder of the user that runs swak, or set SWAK_HOME"
    raise StateError(str(Problem(f"no place for sockets and process ids ({'; '.join(wrong)})", mend)))


def private_folder(folder: Path) -> None:
    """Make a folder that only its owner can enter, or make sure that it is one. OSError when it cannot be."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(f"{folder} is no folder")
    if not hasattr(os, "geteuid"):
        return
    if found.st_uid != os.geteuid():
        raise PermissionError(f"it belongs to user {found.st_uid}")
    if stat.S_IMODE(found.st_mode) & 0o077:
        folder.chmod(0o700)


def socket_path(run: Path, name: str) -> Path:
    """Return where the control socket of that name is to be: in a short folder of its own when its path is too long."""
    path = run / f"{name}.sock"
    if len(os.fsencode(path)) <= SOCKET_PATH_MAX:
        return path
    uid = os.geteuid() if hasattr(os, "geteuid") else 0
    told_apart = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    for parent in (tempfile.gettempdir(), "/tmp"):  # noqa: S108 - the folder in it is checked, and the owner's alone
        short = Path(parent) / f"swak-{uid}" / f"{told_apart}.sock"
        if len(os.fsencode(short)) <= SOCKET_PATH_MAX:
            return short
    raise StateError(str(Problem(f"{path} is too long for a socket", "choose a shorter SWAK_HOME")))
