"""Long writes that others follow at once, gathered to longer ones."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from swak.sinks.append import LINES, AppendFile, Debt, Manner
from swak.sinks.direct import LEAST_BYTES, MOST_BYTES
from swak.sinks.explain import explained

if TYPE_CHECKING:
    from swak.sinks.guard import Guard


class GatheredFile(AppendFile):
    """Appends like its base, but may keep in memory what counts as pending, until more has come or it is synced.

    Where that cannot be written, all that is pending is lost for the caller, who writes it again; so what the file
    holds of it is cut off, unless others have written to the file since.
    """

    def __init__(self, path: str, manner: Manner = LINES) -> None:
        super().__init__(path, manner)
        self._gathered: list[bytes] = []
        self._since: int | None = None
        """Where that begins in the file which is pending; None when none is there, or lines of others are behind it."""
        self._end = 0
        self._failed = False
        """Whether something was lost, and nothing made safe since: on a full disk nothing is to wait."""
        self._wrote = False
        """Whether something was written since the last sync that the caller has seen."""

    @property
    def length_bytes(self) -> int:
        """What the file will hold."""
        return self.size_bytes + sum(map(len, self._gathered))

    def open(self, guard: Guard) -> None:
        super().open(guard)
        self._since = None

    def write(self, data: bytes, *, more: bool = False) -> None:
        """Append all of `data` or nothing. With `more` to be written at once, it may wait for that.

        OSError as in the base: what waited is written without `data`, or else counts as lost.
        """
        waiting = sum(map(len, self._gathered))
        long = LEAST_BYTES <= len(data) < MOST_BYTES - waiting
        unsafe = self._wrote or self.pending_bytes > waiting
        if more and long and self.manner.durable and not self._failed and not (unsafe and self._since is None):
            self._check_lost()
            self._gathered.append(data)
            self.pending_bytes += len(data)
        elif waiting:
            gathered = self._taken()
            try:
                super().write(b"".join([*gathered, data]))
            except OSError:
                if not self.lost:
                    with suppress(OSError):  # kept in `lost`
                        self._write_out(b"".join(gathered))
                raise
        else:
            super().write(data)

    def sync(self) -> None:
        pending_bytes = self.pending_bytes
        try:
            super().sync()
        except OSError:
            self._gathered.clear()
            self._since, self._wrote = None, False
            raise
        self._failed = self._failed and not pending_bytes
        self._wrote = False

    def remove_if_empty(self) -> None:
        if not self._gathered:
            super().remove_if_empty()

    def inherit(self, old: AppendFile) -> bool:
        gathered = isinstance(old, GatheredFile) and old.length_bytes > old.size_bytes
        return not gathered and super().inherit(old)

    def _sync_descriptor(self) -> None:
        if self._gathered and not self.lost:
            try:
                status = os.fstat(self._fd)
            except OSError as error:
                self._lose(error)
                raise
            if status.st_nlink and status.st_size >= self.size_bytes:
                self.size_bytes = status.st_size
                self._write_out(b"".join(self._taken()))
        super()._sync_descriptor()
        if not self.pending_bytes:
            self._since = None  # what is safe is never cut off

    def _write_out(self, data: bytes) -> None:
        try:
            self._pay()
            self._append((b"\n" if self._newline_first else self._head()) + data)
        except OSError as error:
            self._lose(error)
            raise
        self._newline_first = False
        self.pending_bytes += len(data)

    def _taken(self) -> list[bytes]:
        """Return what was gathered. It is neither gathered nor pending any more."""
        gathered, self._gathered = self._gathered, []
        self.pending_bytes -= sum(map(len, gathered))
        return gathered

    def _append(self, data: bytes) -> None:
        if not self.pending_bytes:
            self._since = None if self._wrote else self.size_bytes
        elif self.size_bytes != self._end:
            self._since = None
        super()._append(data)
        self._end, self._wrote = self.size_bytes, True

    def _lose(self, error: OSError) -> None:
        """Note that what was gathered is nowhere, and take back what the file holds of what is written again."""
        self._failed = True
        why = explained(error, self.path).strerror
        self.lost = f"a write failed ({why}); what was written since the last sync is written again"
        if self._since is None or self._fd < 0:
            return
        debt = self.debt or Debt(self.identity, self.size_bytes, self.size_bytes)
        if debt.keep_bytes > self._since:
            self.debt = debt._replace(keep_bytes=self._since)
            with suppress(OSError):  # kept in `debt`, paid first at the next try
                self._pay()
