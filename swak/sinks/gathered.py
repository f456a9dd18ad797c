"""Long writes that others follow at once, gathered to longer ones."""

from __future__ import annotations

import os
from contextlib import suppress

from swak.sinks.append import LINES, AppendFile, Debt, Manner
from swak.sinks.direct import LEAST_BYTES, MOST_BYTES


class GatheredFile(AppendFile):
    """Appends like its base, but may keep in memory what counts as pending, until more has come or it is synced.

    Where something gathered cannot be written, all that is pending is lost for the caller, who writes it again; so
    what the file holds of it is cut off, unless others have written to the file since.
    """

    def __init__(self, path: str, manner: Manner = LINES) -> None:
        super().__init__(path, manner)
        self._gathered: list[bytes] = []
        self._since: int | None = None
        """Where that begins in the file which is pending; None when lines of others stand behind it."""
        self._end = 0

    @property
    def length_bytes(self) -> int:
        """What the file will hold."""
        return self.size_bytes + sum(map(len, self._gathered))

    def write(self, data: bytes, *, more: bool = False) -> None:
        """Append all of `data` or nothing. With `more` to be written at once, it may wait for that.

        OSError as in the base. If something waited, the next `sync` says that all that was pending is to be written
        again.
        """
        waiting = sum(map(len, self._gathered))
        if more and self.manner.durable and len(data) >= LEAST_BYTES and waiting + len(data) < MOST_BYTES:
            self._check_lost()
            self._gathered.append(data)
            self.pending_bytes += len(data)
        elif waiting:
            data = self._taken(data)
            try:
                super().write(data)
            except OSError as error:
                self._lose(error)
                raise
        else:
            super().write(data)

    def sync(self) -> None:
        try:
            super().sync()
        except OSError:
            self._gathered.clear()
            raise

    def remove_if_empty(self) -> None:
        if not self._gathered:
            super().remove_if_empty()

    def inherit(self, old: AppendFile) -> bool:
        gathered = isinstance(old, GatheredFile) and old.length_bytes > old.size_bytes
        return not gathered and super().inherit(old)

    def _sync_descriptor(self) -> None:
        if self._gathered and not self.lost:
            status = os.fstat(self._fd)
            if status.st_nlink and status.st_size >= self.size_bytes:
                self.size_bytes = status.st_size
                self._write_out()
        super()._sync_descriptor()

    def _write_out(self) -> None:
        data = self._taken(b"")
        try:
            self._pay()
            self._append((b"\n" if self._newline_first else self._head()) + data)
        except OSError as error:
            self._lose(error)
            raise
        self._newline_first = False
        self.pending_bytes += len(data)

    def _taken(self, next_one: bytes) -> bytes:
        """Return what was gathered, and `next_one` behind it; it is neither gathered nor pending any more."""
        data = b"".join([*self._gathered, next_one])
        self._gathered.clear()
        self.pending_bytes -= len(data) - len(next_one)
        return data

    def _append(self, data: bytes) -> None:
        if not self.pending_bytes:
            self._since = self.size_bytes
        elif self.size_bytes != self._end:
            self._since = None
        super()._append(data)
        self._end = self.size_bytes

    def _lose(self, error: OSError) -> None:
        """Note that what was gathered is nowhere, and take back what the file holds of what is written again."""
        self.lost = f"a write failed ({error.strerror}); what was written since the last sync is written again"
        if self._since is None or self._fd < 0:
            return
        debt = self.debt or Debt(self.identity, self.size_bytes, self.size_bytes)
        if debt.keep_bytes > self._since:
            self.debt = debt._replace(keep_bytes=self._since)
            with suppress(OSError):  # kept in `debt`, paid first at the next try
                self._pay()
