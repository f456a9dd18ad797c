"""Noticing names that come and go on systems without inotify, through watchdog."""

from __future__ import annotations

# ruff: noqa: PTH116 - a Path changes spellings, and costs ten times as much
import errno
import os
import sys
import threading
import unicodedata
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from swak.log import get
from swak.tailing.identity import Key, key_of, path_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from watchdog.events import FileSystemEvent, FileSystemEventHandler
    from watchdog.observers.api import BaseObserver, EventEmitter, ObservedWatch

    from swak.tailing.growth import Entry

log = get("swak.tailing")

ENTRIES_MAX = 10_000
"""Entries that wait to be collected; what comes then is dropped, which is told as an overflow."""
WATCHED_MAX = 256
"""Directories that are watched: each costs a thread."""
_MOVE_DELAY_S = 0.02
"""How long watchdog waits for the second half of a rename. All other names of the directory wait as long."""
_JOIN_S = 5.0
_TOLD_MAX = 1_000
_LIMITS = (errno.ENOSPC, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN)


class _Watch(NamedTuple):
    """A directory that is watched: which one it was, and what watchdog has for it."""

    key: Key
    observed: ObservedWatch
    emitter: EventEmitter


class Observer:
    """Collects names that come and go in directories. All is for one thread; watchdog's threads only add entries."""

    def __init__(self, wake: Callable[[], None]) -> None:
        """`wake` is called from another thread when there is something to collect. No thread starts before `watch`."""
        self._wake = wake
        self._lock = threading.Lock()
        self._entries: set[Entry] = set()
        self._overflow = False
        self._asked: dict[str, str] = {}
        """The real path of each directory that was asked for: watchdog is deaf on a symbolic link."""
        self._spellings: dict[str, frozenset[str]] = {}
        """By which paths each real path was asked for."""
        self._watches: dict[str, _Watch] = {}
        self._troubles: dict[str, str] = {}
        self._observer: BaseObserver | None = None
        self._receiver: FileSystemEventHandler | None = None

    def watch(self, directory: str) -> bool:
        """Ask for entries of a directory. False: not to be had (which is told once), look there often.

        Repeat it now and then: the directory may have been replaced, and then nothing more would be heard of it.
        """
        real = _spelled(os.path.realpath(directory))
        if self._asked.get(directory, real) != real:
            self.unwatch(directory)
        try:
            os.scandir(real).close()  # watchdog takes a directory that cannot be listed, and hears nothing
            self._keep(real)
        except (OSError, RuntimeError) as error:  # RuntimeError: no more threads
            limit = isinstance(error, RuntimeError) or error.errno in _LIMITS
            self._tell("" if limit else directory, directory, error)
            self.unwatch(directory)
            return False
        self._asked[directory] = real
        with self._lock:
            self._spellings[real] = self._spellings.get(real, frozenset()) | {directory}
        self._troubles.pop(directory, None)
        return True

    def unwatch(self, directory: str) -> None:
        """Ask for no more entries of a directory. What it has collected stays."""
        real = self._asked.pop(directory, "")
        with self._lock:
            left = self._spellings.pop(real, frozenset()) - {directory}
            if left:
                self._spellings[real] = left
        if not left:
            self._forget(real)

    def collect(self) -> tuple[set[Entry], bool]:
        """Return the entries since the last call, and whether some were dropped meanwhile. Never waits."""
        with self._lock:
            entries, self._entries = self._entries, set()
            overflow, self._overflow = self._overflow, False
        return entries, overflow

    def close(self) -> None:
        """End all threads. Nothing can be watched after that but by a new observer."""
        observer, self._observer = self._observer, None
        self._asked.clear()
        self._spellings.clear()
        self._watches.clear()
        if observer is not None:
            observer.stop()
            observer.join(_JOIN_S)
            if observer.is_alive():
                log.error("a thread that watches directories does not end", waited_s=_JOIN_S)

    def _keep(self, real: str) -> None:
        """Watch a directory, unless the same one is watched already. OSError, RuntimeError: not to be had."""
        key = key_of(os.stat(real))
        known = self._watches.get(real)
        if known is not None and known.key == key and known.emitter.is_alive():
            return
        self._forget(real)
        if len(self._watches) >= WATCHED_MAX:
            raise OSError(errno.ENOSPC, f"more than {WATCHED_MAX} directories to be watched")
        if self._observer is None:
            self._observer = _start()
            self._receiver = _receiver(self._take)
        assert self._receiver is not None
        observed = self._observer.schedule(self._receiver, real, recursive=False, event_filter=_names())
        emitter = next(one for one in self._observer.emitters if one.watch == observed)
        self._watches[real] = _Watch(key, observed, emitter)

    def _forget(self, real: str) -> None:
        known = self._watches.pop(real, None)
        if known is not None and self._observer is not None:
            self._observer.unschedule(known.observed)

    def _take(self, event: FileSystemEvent) -> None:
        """Add what an event tells. Called from watchdog's thread."""
        from swak.tailing.growth import Entry  # noqa: PLC0415 - it imports this module

        with self._lock:
            quiet = not self._entries and not self._overflow
            for path in [os.fsdecode(path) for path in (event.src_path, event.dest_path) if path]:
                folder, name = os.path.split(path)
                found = [Entry(asked, name, event.is_directory) for asked in self._spellings.get(_spelled(folder), ())]
                found += [Entry(asked, "", True) for asked in self._spellings.get(_spelled(path), ())]
                for entry in found:
                    if len(self._entries) < ENTRIES_MAX:
                        self._entries.add(entry)
                    else:
                        self._overflow = True
            wakes = quiet and bool(self._entries)
        if wakes:
            self._wake()

    def _tell(self, cause: str, directory: str, error: Exception) -> None:
        """Say once for each cause why a directory is not watched."""
        if self._troubles.get(cause) == str(error) or len(self._troubles) >= _TOLD_MAX:
            return
        self._troubles[cause] = str(error)
        log.bind(path=path_text(directory)).warning(
            "directory cannot be watched; names in it are found by looking",
            error=str(error),
            mend="watch fewer directories, or raise the system's limit" if not cause else "see that it can be listed",
        )


def _spelled(path: str) -> str:
    """Return the spelling of a path that watchdog uses: macOS has several for one name."""
    return unicodedata.normalize("NFC", path) if sys.platform == "darwin" else path


def _names() -> list[type[FileSystemEvent]]:
    from watchdog import events  # noqa: PLC0415 - only where something is watched

    return [
        *(events.FileCreatedEvent, events.FileMovedEvent, events.FileDeletedEvent),
        *(events.DirCreatedEvent, events.DirMovedEvent, events.DirDeletedEvent),
    ]


def _receiver(take: Callable[[FileSystemEvent], None]) -> FileSystemEventHandler:
    from watchdog.events import FileSystemEventHandler  # noqa: PLC0415 - only where something is watched

    class Receiver(FileSystemEventHandler):
        def dispatch(self, event: FileSystemEvent) -> None:
            take(event)

    return Receiver()


def _start() -> BaseObserver:
    """Return watchdog's observer for this system, running. OSError, RuntimeError: not to be had."""
    from watchdog.observers import Observer as Made  # noqa: PLC0415 - only where something is watched

    if sys.platform == "linux":
        _hasten()
    observer = Made()
    try:
        observer.start()
    except BaseException:
        observer.stop()
        raise
    return observer


def _hasten() -> None:
    """Have watchdog's inotify observer hold names back for a moment only, not for half a second."""
    try:
        grouper: Any = import_module("watchdog.observers.inotify_move_event_grouper").InotifyMoveEventGrouper
    except ImportError:  # before watchdog 7
        grouper = import_module("watchdog.observers.inotify_buffer").InotifyBuffer
    grouper.delay = _MOVE_DELAY_S
