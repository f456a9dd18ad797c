"""What a service is to run, whatever system it is for: found out from a recipe."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from swak.errors import ConfigError, Problem
from swak.plugin import Buffer, Input, Output

if TYPE_CHECKING:
    from swak.topology.graph import Topology

LOW_PORTS = 1024
"""Ports below that are the system's: a right is needed to listen there."""


class Wanted(NamedTuple):
    """One service."""

    name: str
    """`swak-` and the recipe's name; the same recipe name is the same service."""
    recipe: Path
    program: tuple[str, ...]
    """How swak itself is started."""
    folders: tuple[str, ...] = ()
    """Folders that the recipe writes to."""
    folder: str = "/"
    """Working directory: where it was installed from, if the recipe has paths that count from there."""
    uses_tmp: bool = False
    """Whether it reads or writes below /tmp, so that a private one would hide that."""
    low_ports: bool = False
    user: bool = False
    """Whether it is one of the user's own services."""
    run_as: str = ""
    """User that a service of the system runs as; empty: one that is made for it."""
    metrics: str = ""

    def command(self, data_dir: str) -> list[str]:
        """Return what is to be executed."""
        metrics = ["--metrics", self.metrics] if self.metrics else []
        options = ["--no-view", "--log-format", "json", "--data-dir", data_dir, *metrics]
        return [*self.program, "up", *options, str(self.recipe)]


def name_of(recipe: Path) -> str:
    """Return the name of a recipe's service: what every system takes as a name."""
    return "swak-" + (re.sub(r"[^A-Za-z0-9_]+", "-", recipe.stem).strip("-").lower() or "recipe")


def wanted_for(recipe: Path, topology: Topology, *, user: bool = False, run_as: str = "", metrics: str = "") -> Wanted:
    """Look at a compiled recipe. ConfigError: it cannot be a service."""
    folders: set[str] = set()
    paths: set[str] = set()
    low = False
    for stage in (stage for flow in topology.flows for stage in flow.stages):
        plugin = stage.spool or stage.plugin
        if plugin is None:
            continue
        named = getattr(plugin, "path", [])
        paths |= {named} if isinstance(named, str) else set(named)
        if isinstance(plugin, Output):
            folders |= {str(Path(path).parent) for path in plugin.writes_to()}
        elif isinstance(plugin, Buffer) and plugin.decouples:
            folders.add(os.path.abspath(str(named)))  # noqa: PTH100 - not resolved: it may not be there yet
        elif isinstance(plugin, Input):
            low |= any(0 < port < LOW_PORTS for _, _, port in plugin.listens_on())
    _check(recipe, sorted(folders))
    relative = any(path and not os.path.isabs(path) for path in paths)  # noqa: PTH117 - it may be a pattern
    seen = {str(recipe), *folders, *map(os.path.abspath, paths)}
    return Wanted(
        name_of(recipe),
        recipe,
        (sys.executable, "-m", "swak"),
        tuple(sorted(folders)),
        str(Path.cwd()) if relative else "/",
        any(path.startswith(("/tmp/", "/var/tmp/")) for path in seen),  # noqa: S108 - looked for, not used
        low,
        user,
        run_as,
        metrics,
    )


def _check(recipe: Path, folders: list[str]) -> None:
    """Refuse what no unit file can say."""
    for path in (str(recipe), sys.executable, *folders):
        if not path.isprintable():
            raise ConfigError([Problem(f"{path!r} cannot stand in the description of a service", "rename it")])
