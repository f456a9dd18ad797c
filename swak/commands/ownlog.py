"""Whether an input of a recipe reads what its own agent prints: events could come round for ever."""

from __future__ import annotations

import glob
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from swak.errors import ConfigError, Problem
from swak.log import Log
from swak.plugin import Input

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from swak.topology.graph import Topology

STDOUT, STDERR = 1, 2

_log = Log("swak.up")


def warnings(topology: Topology, name: str) -> Iterator[str]:
    """Yield what `swak check` says of inputs that read the log that its agent would have in the background."""
    from swak.background.places import of_this_user  # noqa: PLC0415 - only where there is an input that reads files

    paths = [str(places.logs / f"{name}.log") for places in of_this_user()]
    for problem in _readers(topology, paths):
        yield str(problem._replace(what=f"{problem.what} in the background (swak up -d)"))


def heed_own_log(topology: Topology, log: str = "") -> None:
    """Tell of inputs that read what this process prints. `log`: where that goes, as far as it is known.

    ConfigError where an output prints to such a file: each event would make another one.
    """
    plugins = [stage.plugin for flow in topology.flows for stage in flow.stages if stage.plugin is not None]
    prints = any(plugin.kind == "output" and plugin.uses_terminal for plugin in plugins)
    if prints and (problems := list(_readers(topology, [_path_of(STDOUT), log]))):
        raise ConfigError([one._replace(what=f"{one.what}, and an output prints there") for one in problems])
    for problem in _readers(topology, [_path_of(STDERR), log]):
        _log.warning(problem.what, mend=problem.mend)


def _readers(topology: Topology, paths: Sequence[str]) -> Iterator[Problem]:
    for flow in topology.flows:
        source = flow.stages[0].plugin if flow.stages else None
        for path in paths if isinstance(source, Input) else ():
            if path and isinstance(source, Input) and source.reads(path):
                what = f"{source.name}: it reads {path}, the log of its own agent"
                apart = f'keep the pattern off it: exclude="{glob.escape(Path(path).name)}*"'
                yield Problem(what, apart if "exclude" in source.options else "read something else", *source.place)
                break


def _path_of(descriptor: int) -> str:
    """Return the file that a descriptor leads to; empty where it is no file, or the system does not tell."""
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return ""
        return str(Path(f"/proc/self/fd/{descriptor}").readlink())
    except OSError:
        return ""
