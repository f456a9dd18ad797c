"""Kills seats: at every line of the runtime that a stage's thread runs, or at any moment from outside."""

from __future__ import annotations

import ctypes
import linecache
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import swak.actors
import swak.workers

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

ACTORS = str(Path(swak.actors.__file__).parent)
CORE = (ACTORS, str(Path(ACTORS).parent / "ack.py"), str(Path(swak.workers.__file__).parent))
SHELL = ("running.py",)
"""What calls main's loop is no seat: an exception there ends the program, as in any main thread."""
SPARED = ("with ", "finally")
"""A line event on a `with` comes a second time when the block is left, before the lock is free: no real exception can
arrive there, since the interpreter looks for one only after the call that frees it."""
KINDS: tuple[Callable[[], BaseException], ...] = (
    SystemExit,
    KeyboardInterrupt,
    MemoryError,
    lambda: RuntimeError("shot"),
)


class LineShot:
    """Raises once, at the n-th line of runtime code that a thread of the chosen stage runs."""

    def __init__(self, thread: str, number: int, kind: Callable[[], BaseException]) -> None:
        """`thread`: what the thread's name ends in, "/Nginx" for a stage of a task, "main" for main's loop."""
        self._suffix = thread
        self._left = number
        self._kind = kind
        self._outside = {"Seat.die", "Seat.leave", "Post.attempt", "Actor.retire", "MainLoop.run", "MainLoop._step"}
        self._outside |= {
            "Workers.close",
            "Child.end",
            "Child.close",
            "Child.kill",
            "Child._shut",
        }  # as any plugin's `close`
        self.fired = ""

    def __enter__(self) -> Self:
        threading.settrace(self._on_call)
        return self

    def __exit__(self, *_: object) -> None:
        threading.settrace(None)

    def _on_call(self, frame: FrameType, event: str, _arg: Any) -> Any:
        name = threading.current_thread().name
        if self.fired or not name.startswith("swak:") or not name.endswith(self._suffix):
            sys.settrace(None)
            return None
        code = frame.f_code
        if not code.co_filename.startswith(CORE) or code.co_filename.endswith(SHELL):
            return None
        if code.co_qualname in self._outside or event != "call":
            return None
        return self._on_line

    def _on_line(self, frame: FrameType, event: str, _arg: Any) -> Any:
        if event != "line" or self.fired:
            return self._on_line
        source = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
        if source.startswith(SPARED) or frame.f_code.co_name == "__del__":
            return self._on_line
        self._left -= 1
        if self._left <= 0:
            self.fired = f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno} {source}"
            raise self._kind()
        return self._on_line


def shoot(thread: threading.Thread, kind: type[BaseException]) -> bool:
    """Raise an exception in another thread, at whatever it does. Return whether the thread was there to be hit."""
    if thread.ident is None or not thread.is_alive():
        return False
    hit: int = ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(kind))
    return hit == 1
