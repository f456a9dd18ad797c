"""Append events to a file."""

import os
from errno import EACCES, EISDIR, ENOSPC, ENOTDIR, ENXIO, EROFS
from pathlib import Path
from typing import Literal

from swak.event import Batch
from swak.formats.lines import json_lines, raw_lines
from swak.options import Duration, option
from swak.plugin import Output, Pending
from swak.sinks.append import AppendFile
from swak.sinks.guard import Guard, aborted_error
from swak.sinks.stream import Stream, is_stream

SYNC_BYTES = 8 * 1024 * 1024
"""What may wait for a sync at most."""
WAIT_S = 0.5
"""How long one write waits for the reader of a pipe."""

_MEND = {
    EISDIR: "it is a folder; name a file in it",
    ENOTDIR: "something above it is no folder",
    EACCES: "let this user read and write it (mode and owner of the file and its folder)",
    EROFS: "the file system is read-only",
    ENXIO: "nobody reads this FIFO yet",
    ENOSPC: "the disk is full; nothing of the batch was kept, it is tried again",
}


class File(Output):
    """Append each event to a file: as a line of JSON (the record), or raw.

    `raw` writes lines as they were read; of an event that was parsed it writes the field `message`, or else the
    record as JSON. Tag and time are not written. A record that JSON cannot carry goes to the dead letters.

    With `fsync`, events count as delivered once the disk has them: at most that long, or 8 MiB, after they were
    written. With `fsync=None` they count when the system has them: a crash of swak loses nothing then, but a power
    cut can take what the system had not yet written (on Linux up to half a minute) without anybody noticing.

    The folder is made if need be. A batch is written as a whole or not at all; when the disk is full it waits. What
    a killed process left of a line is moved to `<path>.torn`. When the file is renamed or deleted (logrotate), the
    path is opened anew; what was not synced by then is synced, or written again. Several outputs may share a file.
    A FIFO, a device and /dev/stdout work as well, without sync.

    Example:
        `task(in_.FileTailing("app.log"), out.Json(), out.File("/var/log/app.json"))`
    """

    path: str = option("File to append to; it is made, with its folder, when it is not there.")
    format: Literal["json", "raw"] = option("What a line holds.", default="json")
    fsync: Duration | None = option("How long written events may wait for the disk; None never asks it.", default="1s")

    _aborted = False
    _guard: Guard | None = None
    _sink: AppendFile | Stream | None = None
    _pending_since: float | None = None

    def check(self) -> list[tuple[str, str]]:
        return [] if self.path else [("path is empty", 'name a file, e.g. File("/tmp/out.json")')]

    def writes_to(self) -> list[str]:
        names = [os.path.abspath(self.path), os.path.realpath(self.path)]  # noqa: PTH100 - a Path keeps "a/../b"
        return list(dict.fromkeys(names)) if self.path else []

    def open(self) -> None:
        guard = self._guard = Guard()
        if self._aborted:
            raise aborted_error()
        try:
            self._open(guard)
        except OSError as error:
            raise self._explained(error) from error

    def write(self, batch: Batch) -> type[Pending] | None:
        data = json_lines(batch.body) if self.format == "json" else raw_lines(batch.body)
        try:
            if isinstance(self._sink, AppendFile) and data:
                self._sink.write(data)
                return self._now_pending() if self.fsync is not None else None
            if isinstance(self._sink, Stream):
                self._sink.write(data, WAIT_S)
        except OSError as error:
            raise self._explained(error) from error
        return None

    def sync(self) -> None:
        self._pending_since = None
        if isinstance(self._sink, AppendFile):
            self._sink.sync()

    def due_at(self) -> float | None:
        if self._pending_since is None or self.fsync is None or not isinstance(self._sink, AppendFile):
            return None
        full = self._sink.pending_bytes >= SYNC_BYTES or self._sink.lost
        return self._pending_since + (0.0 if full else self.fsync)

    def probe(self) -> bool:
        if isinstance(self._sink, Stream):
            return self._sink.ready()
        folder = next((one for one in Path(self.path).parents if one.is_dir()), Path())
        return os.access(folder, os.W_OK) and not Path(self.path).is_dir()

    def inherit(self, old: Output) -> bool:
        if not isinstance(old, File) or old.path != self.path:
            return False
        if not isinstance(old._sink, AppendFile):  # noqa: SLF001 - of our own class
            return True  # nothing is ever pending in a stream
        self._sink = AppendFile(self.path, durable=self.fsync is not None)
        if not self._sink.inherit(old._sink):  # noqa: SLF001 - of our own class
            return False
        self._pending_since = old._pending_since  # noqa: SLF001 - of our own class
        return True

    def close(self) -> None:
        if self._guard is None:
            return
        if isinstance(self._sink, AppendFile):
            self._sink.close()
        elif self._sink is not None:
            self._sink.close(self._guard)
        self._guard.release()

    def abort(self) -> None:
        self._aborted = True
        if self._guard is not None:
            self._guard.abort()

    def _open(self, guard: Guard) -> None:
        if is_stream(self.path):
            if not isinstance(self._sink, Stream):
                self._sink = Stream(self.path)
            self._sink.open(self.path, guard)
        else:
            if not isinstance(self._sink, AppendFile):
                self._sink = AppendFile(self.path, durable=self.fsync is not None)
            self._sink.open(guard)

    def _now_pending(self) -> type[Pending]:
        if self._pending_since is None:
            self._pending_since = self.clock.monotonic()
        return Pending

    def _explained(self, error: OSError) -> OSError:
        mend = _MEND.get(error.errno or 0)
        return OSError(error.errno, f"{error.strerror}{': ' if mend else ''}{mend or ''}", self.path)
