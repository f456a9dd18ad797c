"""Watching a recipe and the modules beside it: a reload when one of them has changed and come to rest."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

LOOK_S = 0.25
"""How often the files are looked at. They are few, and a look costs microseconds."""

Marks = dict[str, tuple[int, int, int] | None]
"""By file: when it was written, its size, which file it is; None: there is none."""


def marks_of(files: Iterable[str]) -> Marks:
    """Look at the files. An editor that renames a new one over the old one leaves another inode."""
    found: Marks = {}
    for file in files:
        try:
            status = os.stat(file)  # noqa: PTH116 - as text
        except OSError:
            found[file] = None
        else:
            found[file] = (status.st_mtime_ns, status.st_size, status.st_ino)
    return found


class Watch:
    """Decides, look by look, when a reload is due: when something is different from what it was, and the same twice.

    A file that is not there is in the middle of being saved, or gone: either is no reason to reload.
    """

    def __init__(self, files: Callable[[], Iterable[str]]) -> None:
        self._files = files
        self._known = marks_of(files())
        self._last = self._known

    def look(self) -> bool:
        """Look at the files; tell whether a reload is due."""
        now = marks_of({*self._known, *self._files()})
        last, self._last = self._last, now
        there = {file: mark for file, mark in now.items() if mark is not None}
        different = any(self._known.get(file) != mark for file, mark in there.items() if file in self._known)
        rests = now == last and len(there) == len(now)
        if rests:
            self._known = now
        return different and rests


@contextmanager
def watching(files: Callable[[], Iterable[str]], changed: Callable[[], object]) -> Iterator[None]:
    """Call `changed` after each change to one of the files, as long as the body goes on."""
    watch = Watch(files)
    over = threading.Event()

    def look() -> None:
        while not over.wait(LOOK_S):
            if watch.look():
                changed()

    thread = threading.Thread(target=look, name="swak-watching", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(LOOK_S * 4)
