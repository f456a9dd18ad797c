"""Looking at what a recipe needs of this machine: files, folders, ports."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from swak.doctor.finding import Finding
from swak.doctor.places import writable
from swak.plugin import Buffer, Input, Output

if TYPE_CHECKING:
    from collections.abc import Iterator

    from swak.plugin import Plugin
    from swak.topology.graph import Topology

AREA = "recipe"
LOW_PORTS = 1024
PATTERN = set("*?[")


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
