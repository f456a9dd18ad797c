"""The property list for macOS's launchd."""

from __future__ import annotations

import plistlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from swak.services.wanted import Wanted

STOP_S = 30


def plist_path(wanted: Wanted, environ: Mapping[str, str]) -> Path:
    """Return where the property list belongs."""
    folder = Path(environ.get("HOME", "~")).expanduser() if wanted.user else Path("/")
    return folder / "Library" / ("LaunchAgents" if wanted.user else "LaunchDaemons") / f"{wanted.name}.plist"


def plist(wanted: Wanted, environ: Mapping[str, str]) -> str:
    """Return the text of the property list.

    launchd knows no exit code that ends the tries: with a bad recipe it tries again every 30 seconds.
    """
    folder = Path(environ.get("HOME", "~")).expanduser() if wanted.user else Path("/")
    data_dir = folder / "Library" / "Application Support" / "swak" / wanted.name
    logs = folder / "Library" / "Logs"
    told = {
        "Label": wanted.name,
        "ProgramArguments": wanted.command(str(data_dir)),
        "WorkingDirectory": wanted.folder,
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": 30,
        "ExitTimeOut": STOP_S,
        "ProcessType": "Background",
        "Umask": 0o027,
        "StandardErrorPath": str(logs / f"{wanted.name}.log"),
        "SoftResourceLimits": {"NumberOfFiles": 65_536},
        **({"UserName": wanted.run_as} if wanted.run_as and not wanted.user else {}),
    }
    return plistlib.dumps(told).decode()
