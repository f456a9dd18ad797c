"""Starting an agent in the background: a process of its own, which says when it is ready or what is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import swak
from swak.background.rotating import open_log
from swak.durable import write_all

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from swak.stats import StageView

OPEN_S = 10.0
"""How long plugins may take to open before the agent counts as started all the same."""
LOOK_S = 0.02
TOLD_BYTES = 64 * 1024
"""How much of its log is shown when a start fails."""


class Launched(NamedTuple):
    """What became of a start."""

    ready: dict[str, Any] | None
    """What the agent said when it was ready; None: it has ended before."""
    code: int
    told: str
    """What it has printed, when it has ended."""


def launch(arguments: Sequence[str], log: Path, cwd: str, environ: Mapping[str, str]) -> Launched:
    """Start `swak up` with these arguments as a session of its own, and wait until it is ready or has ended.

    It keeps the working directory and the umask, so that a recipe means the same in the background. It has no terminal:
    none can hang it up, and it can wait for no input.
    """
    output = open_log(log)
    reads, writes = os.pipe()
    try:
        begin = os.fstat(output).st_size
        process = subprocess.Popen(  # noqa: S603 - our own interpreter, our own program
            [sys.executable, *kept_apart(cwd), "-m", "swak", "up", "--ready-fd", str(writes), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=cwd,
            env=dict(environ),
            pass_fds=[writes],
            start_new_session=True,
        )
    finally:
        os.close(writes)
        os.close(output)
    try:
        with open(reads, "rb") as told:  # noqa: PTH123 - a descriptor
            line = told.readline()
    except BaseException:
        process.terminate()  # whoever waits does not want it any more
        raise
    if line:
        process.returncode = 0  # it runs on without us
        return Launched(json.loads(line), 0, "")
    code = process.wait()
    return Launched(None, code if code >= 0 else 128 - code, _since(log, begin))


def own_arguments(argv: Sequence[str]) -> list[str]:
    """Return the arguments of `swak up` as they were typed, without what was put before them to start this process."""
    rest = list(argv)
    while rest[:1] in (["--ready-fd"], ["--handover-fd"]):
        rest = rest[2:]
    return rest


def kept_apart(cwd: str) -> list[str]:
    """Keep modules that lie in the working directory from being taken for Python's, unless swak itself lies there."""
    return [] if Path(swak.__file__).parents[1] == Path(cwd).resolve() else ["-P"]


def _since(log: Path, begin: int) -> str:
    with log.open("rb") as file:
        file.seek(max(begin, log.stat().st_size - TOLD_BYTES))
        return file.read().decode(errors="replace")


class Announcement:
    """Tells whoever has started this process that it is ready, once every plugin has had its chance to open."""

    def __init__(self, descriptor: int, details: dict[str, Any]) -> None:
        self._descriptor = descriptor
        self._details = details
        self._over = threading.Event()
        os.set_inheritable(descriptor, False)

    def start(self, snapshot: Callable[[], Sequence[StageView]]) -> None:
        """Begin to look, from a thread."""
        threading.Thread(target=self._watch, args=(snapshot,), name="swak:ready", daemon=True).start()

    def withdraw(self) -> None:
        """The run has ended: who waits, looks at the exit code."""
        self._over.set()

    def _watch(self, snapshot: Callable[[], Sequence[StageView]]) -> None:
        looks = round(OPEN_S / LOOK_S)
        for _ in range(looks):
            views = snapshot()
            if all(view.state != "opening" for view in views) or self._over.wait(LOOK_S):
                break
        if self._over.is_set():
            return  # the descriptor ends with the process
        troubled = {
            f"{view.flow}/{view.stage}": f"{view.state}{f' ({view.last_error})' if view.last_error else ''}"
            for view in snapshot()
            if view.state not in {"running", "blocked", "over"}
        }
        line = json.dumps({**self._details, "troubled": troubled}) + "\n"
        try:
            write_all(self._descriptor, line.encode())
        except BrokenPipeError:
            return  # whoever waited has gone, and the agent is to run all the same
        finally:
            os.close(self._descriptor)
