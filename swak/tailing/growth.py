"""Noticing that open files grew and that directories changed, at next to no cost while nothing happens."""

from __future__ import annotations

import ctypes
import errno
import os
import selectors
import socket
import struct
import threading
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from swak.log import get
from swak.tailing.identity import libc, lies_remote
from swak.tailing.mounts import Mounts
from swak.tailing.observer import Observer

if TYPE_CHECKING:
    from typing import Any

log = get("swak.tailing")

Token = TypeVar("Token")

_MODIFY_ONCE = 0x80000002
"""IN_MODIFY | IN_ONESHOT: one event, then silence until it is armed again. A burst costs one wake-up, not thousands."""
_ENTRIES = 0x01000FC0
"""IN_ONLYDIR | IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF."""
_IS_DIRECTORY = 0x40000000
_OVERFLOW = 0x00004000
_IGNORED = 0x00008000
_EVENT = struct.Struct("iIII")
_READ_BYTES = 64 * 1024


class Entry(NamedTuple):
    """A name in a watched directory that came, went or was renamed."""

    directory: str
    name: str
    is_directory: bool


class Noticed(NamedTuple, Generic[Token]):
    """What happened since the last look. After an `overflow`, or a change of mounts, anything may have."""

    grown: list[Token]
    entries: set[Entry]
    overflow: bool


class Growth(Generic[Token]):
    """One inotify descriptor for all files of one input, and a way to end its wait from another thread.

    A file is armed by its open descriptor, so it is noticed after a rename or an unlink, too. Where inotify cannot be
    had, `arm` says so and the caller polls. All but `wake` is for one thread.
    """

    def __init__(self, *, poll: bool = False) -> None:
        """With `poll` nothing is ever noticed."""
        self._armed: dict[int, Token] = {}
        self._watches: dict[Token, int] = {}
        self._directories: dict[int, str] = {}
        self._told: set[int] = set()
        self._lock = threading.Lock()
        self._far: socket.socket | None
        self._near, self._far = socket.socketpair()
        self._near.setblocking(False)
        self._far.setblocking(False)
        self._observer: Observer | None = None
        self._inotify = -1 if poll else self._init()
        self._mounts = Mounts()
        self._woken_only = selectors.DefaultSelector()
        self._woken_only.register(self._near, selectors.EVENT_READ)
        self._anything = selectors.DefaultSelector()
        self._anything.register(self._near, selectors.EVENT_READ)
        if self._inotify >= 0:
            self._anything.register(self._inotify, selectors.EVENT_READ)
        if self._mounts.fd >= 0:
            self._anything.register(self._mounts.fd, selectors.EVENT_READ)

    def arm(self, fd: int, token: Token) -> bool:
        """Ask for one notice when the file grows or is cut. False: not to be had, poll it.

        What was written before is not told: compare the size after this.
        """
        watch = self._add(f"/proc/self/fd/{fd}", _MODIFY_ONCE)
        if watch < 0:
            return False
        self._armed[watch] = token
        self._watches[token] = watch
        return True

    def disarm(self, token: Token) -> None:
        """Forget a file, before its descriptor is closed."""
        watch = self._watches.pop(token, None)
        if watch is not None and self._armed.pop(watch, None) is not None:
            libc().inotify_rm_watch(self._inotify, watch)  # fails only when the watch is gone already

    def watch(self, directory: str) -> bool:
        """Ask for notices of names that come and go. False: not to be had, look there often.

        Repeat it now and then: the directory may have been replaced.
        """
        if self._observer is not None:
            return self._observer.watch(directory)
        watch = self._add(directory, _ENTRIES)
        if watch >= 0:
            self._directories[watch] = directory
        return watch >= 0 and not lies_remote(directory)

    def collect(self) -> Noticed[Token]:
        """Return what was noticed since the last call. Never waits."""
        noticed: Noticed[Token] = Noticed([], set(), overflow=self._mounts.changed())
        if self._observer is not None:
            return Noticed([], *self._observer.collect())
        if self._inotify < 0:
            return noticed
        try:
            data = os.read(self._inotify, _READ_BYTES)
        except BlockingIOError:
            return noticed
        overflow = noticed.overflow
        at = 0
        while at < len(data):
            watch, mask, _, length = _EVENT.unpack_from(data, at)
            name = data[at + _EVENT.size : at + _EVENT.size + length].rstrip(b"\0")
            at += _EVENT.size + length
            overflow |= bool(mask & _OVERFLOW)
            if watch in self._directories:
                directory = self._directories[watch]
                noticed.entries.add(Entry(directory, os.fsdecode(name), bool(mask & _IS_DIRECTORY)))
                if mask & _IGNORED:
                    del self._directories[watch]
            elif watch in self._armed:
                token = self._armed.pop(watch)
                if self._watches.get(token) == watch:
                    del self._watches[token]
                noticed.grown.append(token)
        return noticed._replace(overflow=overflow)

    def wait(self, timeout_s: float, *, files: bool) -> bool:
        """Wait for `wake`, and with `files` for a notice, too. Return whether `wake` ended it."""
        selector = self._anything if files else self._woken_only
        ready = selector.select(timeout_s)
        woken = any(key.fileobj is self._near for key, _ in ready)
        self._mounts.noted |= any(key.fd == self._mounts.fd for key, _ in ready)
        if woken:
            self._near.recv(_READ_BYTES)
        return woken

    def wake(self) -> None:
        """End a wait, or the next one. From any thread."""
        with self._lock:
            if self._far is None:
                return
            try:
                self._far.send(b"\0")
            except BlockingIOError:
                return  # so many wake-ups are under way that one more changes nothing

    def close(self) -> None:
        """Let all descriptors go."""
        with self._lock:
            far, self._far = self._far, None
        for one in (self._anything, self._woken_only, self._near, far):
            if one is not None:
                one.close()
        if self._inotify >= 0:
            os.close(self._inotify)
            self._inotify = -1
        if self._observer is not None:
            self._observer.close()
        self._mounts.close()

    def _init(self) -> int:
        call: Any = getattr(libc(), "inotify_init1", None)
        if call is None:
            log.info("no inotify on this system; the sizes of files are polled")
            self._observer = Observer(self.wake)
            return -1
        fd: int = call(os.O_NONBLOCK | os.O_CLOEXEC)
        if fd < 0:
            self._tell(ctypes.get_errno(), "raise fs.inotify.max_user_instances")
        return fd

    def _add(self, path: str, mask: int) -> int:
        if self._inotify < 0:
            return -1
        watch: int = libc().inotify_add_watch(self._inotify, os.fsencode(path), ctypes.c_uint32(mask))
        if watch < 0 and (mask == _MODIFY_ONCE or ctypes.get_errno() == errno.ENOSPC):
            self._tell(ctypes.get_errno(), "raise fs.inotify.max_user_watches; see that /proc is mounted and readable")
        return watch

    def _tell(self, number: int, mend: str) -> None:
        """Say once for each cause that files are polled."""
        if number not in self._told:
            self._told.add(number)
            log.warning("inotify is not to be had; files are polled", error=os.strerror(number), mend=mend)
