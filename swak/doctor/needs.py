"""Looking at what a recipe needs of this machine: files, folders, ports."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from swak.doctor.finding import Finding
from swak.doctor.places import writable
from swak.plugin import Buffer, Input, Output
from swak.plugins.inputs.file_tailing import FileTailing
from swak.tailing.descriptors import RESERVED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from swak.plugin import Plugin
    from swak.topology.graph import Topology

AREA = "recipe"
LOW_PORTS = 1024
PATTERN = set("*?[")
WATCHES = Path("/proc/sys/fs/inotify/max_user_watches")


def plugins_of(topology: Topology) -> Iterator[tuple[str, Plugin]]:
    """Yield each plugin of a recipe once, with flow and stage; of a buffer on disk, the buffer."""
    seen: set[int] = set()
    for flow in topology.flows:
        for stage in flow.stages:
            plugin = stage.spool or stage.plugin
            if plugin is not None and id(plugin) not in seen:
                seen.add(id(plugin))
                yield f"{flow.name}/{stage.name}", plugin


def needs(topology: Topology) -> Iterator[Finding]:
    """Yield what there is to say of each plugin's needs."""
    for warning in topology.warnings:
        yield Finding(AREA, "check", "warning", str(warning))
    for where, plugin in plugins_of(topology):
        if isinstance(plugin, Output):
            yield from _written(where, [Path(path).parent for path in plugin.writes_to()[:1]])
        elif isinstance(plugin, Buffer) and plugin.decouples:
            yield from _written(where, [Path(getattr(plugin, "path", "")).absolute()])
        elif isinstance(plugin, Input):
            yield from _read(where, plugin)
            yield from _ports(where, plugin)
    yield from _followed(topology)


def _followed(topology: Topology) -> Iterator[Finding]:
    """Yield whether this machine lets as many files be open and watched as the recipe's inputs match now."""
    files, folders = 0, 0
    for _, plugin in plugins_of(topology):
        if isinstance(plugin, FileTailing):
            tree = plugin.tree()
            tree.look()
            files += len(tree.paths())
            folders += len(tree.directories())
    if files:
        yield from enough(files, folders, open_max(), watches_max(WATCHES))


def open_max() -> int | None:
    """Return how many files may be open once swak has raised its limit; None where there is none."""
    if sys.platform == "win32":
        return None
    import resource  # noqa: PLC0415 - POSIX only

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return None if hard == resource.RLIM_INFINITY else hard


def watches_max(path: Path) -> int | None:
    """Return how many watches of inotify a user may have; None where there is no such limit."""
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def enough(files: int, folders: int, files_max: int | None, watches: int | None) -> Iterator[Finding]:
    """Yield whether so many files can be open at a time, and be watched with the folders that they are in."""
    what = f"files that match: {files}"
    wanted = files + RESERVED
    if files_max is not None and wanted > files_max:
        mend = f"ulimit -Hn {wanted}, LimitNOFILE={wanted} of systemd; until then they take turns"
        yield Finding(AREA, "open files", "warning", f"{what}; {files_max} may be open, others included", mend)
    else:
        yield Finding(AREA, "open files", "ok", f"{what}; all of them can be open")
    needed = files + folders
    if watches is not None and needed > watches:
        mend = f"sysctl fs.inotify.max_user_watches={needed * 2}; until then sizes are compared, which costs more"
        yield Finding(AREA, "inotify watches", "warning", f"{needed} are needed, and {watches} may be had", mend)
    elif watches is not None:
        yield Finding(AREA, "inotify watches", "ok", f"{needed} are needed, and {watches} may be had")


def _written(where: str, folders: list[Path]) -> Iterator[Finding]:
    for folder in folders:
        found = writable(AREA, folder, "give the user that runs swak the right to write there")
        yield found._replace(subject=where, what=f"{folder}: {found.what}")


def _read(where: str, plugin: Input) -> Iterator[Finding]:
    named = getattr(plugin, "path", [])
    for path in [named] if isinstance(named, str) else named:
        if not path or PATTERN & set(path) or not plugin.reads(os.path.abspath(path)):  # noqa: PTH100 - as recipes mean it
            continue
        if not Path(path).exists():
            yield Finding(AREA, where, "note", f"{path} is not there yet", "it is read once it appears")
        elif not os.access(path, os.R_OK):
            mend = "give the user that runs swak the right to read it, e.g. by the group of the file"
            yield Finding(AREA, where, "failed", f"{path} cannot be read", mend)
        else:
            yield Finding(AREA, where, "ok", f"{path} can be read")


def _ports(where: str, plugin: Input) -> Iterator[Finding]:
    for protocol, _, port in plugin.listens_on():
        if 0 < port < LOW_PORTS and sys.platform.startswith("linux") and os.geteuid() != 0:
            mend = "give CAP_NET_BIND_SERVICE (`swak service install` does), or take a port from 1024 on"
            yield Finding(AREA, where, "note", f"{protocol} port {port} is the system's", mend)
