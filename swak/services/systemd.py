"""The unit file for systemd: notify, watchdog, and as few rights as a log agent needs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from swak.services.wanted import Wanted

MARK = "# Written by `swak service install`."

STOP_S = 30
"""Longer than --grace, so that the receipt is written before systemd loses patience."""

_FOR_ALL = """\
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
UMask=0027
"""

_FOR_THE_SYSTEM = """\
ProtectSystem=strict
ProtectHome=read-only
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
RestrictNamespaces=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
"""


def unit_path(wanted: Wanted, environ: Mapping[str, str]) -> Path:
    """Return where the unit belongs."""
    if not wanted.user:
        return Path("/etc/systemd/system") / f"{wanted.name}.service"
    config = environ.get("XDG_CONFIG_HOME") or os.path.join(environ.get("HOME", "~"), ".config")  # noqa: PTH118 - text
    return Path(config).expanduser() / "systemd" / "user" / f"{wanted.name}.service"


def unit(wanted: Wanted) -> str:
    """Return the text of the unit."""
    return "\n".join(_lines(wanted)) + "\n"


def _lines(wanted: Wanted) -> Iterator[str]:
    yield MARK
    yield "[Unit]"
    yield f"Description=swak: {_plain(str(wanted.recipe))}"
    yield "Wants=network-online.target"
    yield "After=network-online.target"
    yield "StartLimitIntervalSec=0"  # for ever: whoever reads logs is to come back after a long outage, too
    yield ""
    yield "[Service]"
    yield "Type=notify"
    yield "NotifyAccess=main"
    data_dir = f"%S/swak/{wanted.name}"  # %S: where systemd has state, for the system or the user
    yield "ExecStart=" + " ".join(one if one == data_dir else _word(one) for one in wanted.command(data_dir))
    yield "ExecReload=/bin/kill -HUP $MAINPID"
    yield f"WorkingDirectory={_plain(wanted.folder)}"
    yield f"StateDirectory=swak/{wanted.name}"
    yield "StateDirectoryMode=0700"
    yield f"LogsDirectory=swak/{wanted.name}"
    yield "WatchdogSec=30"
    yield "TimeoutStartSec=180"
    yield f"TimeoutStopSec={STOP_S}"
    yield "KillMode=mixed"
    yield "Restart=on-failure"
    yield "RestartSec=2"
    yield "RestartPreventExitStatus=2 78"  # wrong usage, a bad recipe: trying again does not mend them
    yield "LimitNOFILE=65536"
    yield ""
    yield _FOR_ALL.rstrip("\n")
    if not wanted.user:
        yield from _rights(wanted)
    yield ""
    yield "[Install]"
    yield f"WantedBy={'default' if wanted.user else 'multi-user'}.target"


def _rights(wanted: Wanted) -> Iterator[str]:
    """Yield what only the system's own systemd can grant and take."""
    yield _FOR_THE_SYSTEM.rstrip("\n")
    if not wanted.uses_tmp:
        yield "PrivateTmp=yes"
    if wanted.folders:
        yield "ReadWritePaths=" + " ".join(_quoted("-" + folder) for folder in wanted.folders)
    rights = ["CAP_DAC_READ_SEARCH"]  # to read every log; nothing else of root's
    rights += ["CAP_NET_BIND_SERVICE"] if wanted.low_ports else []
    yield f"CapabilityBoundingSet={' '.join(rights)}"
    yield f"AmbientCapabilities={' '.join(rights)}"
    yield f"User={_plain(wanted.run_as)}" if wanted.run_as else "DynamicUser=yes"


def _plain(text: str) -> str:
    return text.replace("%", "%%")


def _word(text: str) -> str:
    """Return a word of a command line, in which variables would be put."""
    return _quoted(text.replace("$", "$$"))


def _quoted(text: str) -> str:
    """Return a word as systemd reads it back: specifiers, quotes and spaces are no such things."""
    escaped = _plain(text.replace("\\", r"\\").replace('"', r"\""))
    return f'"{escaped}"' if set(text) & set(" \t\"'\\;") else escaped
