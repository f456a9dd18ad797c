"""Where every thread of this process is: for `swak stacks`, and for SIGQUIT."""

from __future__ import annotations

import sys
import threading
import traceback
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

FRAMES_MAX = 50
"""Frames shown of each stack, the innermost ones."""


class Stack(NamedTuple):
    """What one thread is at."""

    thread: str
    stage: str | None
    """The stage whose seat it is, such as "web/Fluentd"."""
    lines: list[str]


def stacks(stages: Iterable[str]) -> list[Stack]:
    """Return the stacks of all threads but the calling one, those of stages first."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    own = threading.get_ident()
    seats = {f"swak:{stage}": stage for stage in stages}
    found = []
    for ident, frame in sys._current_frames().items():  # noqa: SLF001 - the only way to see other threads
        if ident != own:
            name = names.get(ident, f"thread {ident}")
            lines = [line.rstrip() for line in traceback.format_stack(frame)[-FRAMES_MAX:]]
            found.append(Stack(name, seats.get(name), lines))
    return sorted(found, key=lambda one: (one.stage is None, one.thread))
