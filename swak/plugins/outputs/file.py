"""Append events to files."""

import os
from functools import cached_property
from pathlib import Path
from typing import Literal

from swak.errors import Refused
from swak.event import Batch
from swak.formats.registry import Format, LineFormat, Shape
from swak.formats.template import zone_of
from swak.options import Duration, Size, option
from swak.plugin import Output, Pending
from swak.sinks.append import Manner
from swak.sinks.checks import Wishes, problems
from swak.sinks.explain import explained
from swak.sinks.fileset import Bounds, FileSet
from swak.sinks.guard import Guard, aborted_error
from swak.sinks.once import Once
from swak.sinks.pathname import PathTemplate
from swak.sinks.rotation import Rules
from swak.sinks.stream import Stream, is_stream
from swak.sinks.whole import framing_of

SYNC_BYTES = 6 * 1024 * 1024
"""What may wait for a sync at most."""
WAIT_S = 0.5
"""How long one write waits for the reader of a pipe."""


class File(Output):
    """Append each event to a file, or to one of many.

    **Formats**: `json` (the record, one object a line), `json_spaced` (the same with a space after each comma and
    colon), `raw` (lines as they were read; of an event that was parsed the field `message`, or else the record as
    JSON), `csv` and `tsv` (the `fields`, after a line with their names if `header=True`), `ltsv`, `msgpack` (one map
    after the other), `line` (the `template`), `rubydebug`, `logstash` (JSON with `@version`, `@timestamp` and `host`).
    In JSON, NaN and infinity become null, bytes Base64, keys that are numbers text, and halves of surrogate pairs
    U+FFFD. In `tsv` and `ltsv` tabs, line ends and backslashes become a backslash and t, n, r or another one; csv
    quotes them. A record that the format cannot carry goes to the dead letters. None but `logstash`, `line` and
    `rubydebug` write the event's time: where the record lacks it, `out.Reform(set={"time": "${time}"})` adds it.

    **Path**: `%Y`, `%m`, `%d`, `%H` and the like stand for the event's own time (not that of its arrival) in the
    `zone`, `{tag}` and `{field}` for what the event has; write `%%` and `{{` for the characters. A value never leaves
    its folder: slashes, backslashes and what cannot be printed become `_`, so do a leading dot and a missing value,
    and a hash takes the middle of a name of more than 180 bytes; the first time this is told in the log. At most
    `open_max` files are open; the one that was not written to for longest is closed first, and so is each that was
    quiet for `close_after`, as soon as something else is written. Events whose path is that of a folder or a device,
    and those that would make more than `paths_max` files within an hour, go to the dead letters.

    **Delivery**: with `fsync`, events count as delivered once the disk has them: at most that long, or 6 MiB, after
    they were written. With `fsync=None` they count when the system has them: a crash of swak loses nothing then, but
    a power cut can take what the system had not yet written (on Linux up to half a minute) without anybody noticing.
    To one file a batch is written as a whole or not at all; when the disk is full it waits. What a killed process
    left of an event is moved to `<path>.torn`. When a file is renamed or deleted (logrotate), its path is opened anew;
    what was not synced by then is synced, or written again. Several outputs may share a file. On Linux, with `fsync`,
    long runs of lines go past the page cache, as long as nobody else writes to the file.

    **Rotation**: before a file would grow beyond `rotate_size`, and with the first write of each `rotate_every`
    (counted from midnight of the `zone`), it gets the time behind its name, `app.log.20261121-010203.000001`. Nothing
    is ever written over, and nothing removed but for `keep`: the oldest rotated files of a path beyond that number.
    A file that follows a rotated one gets its owner (if swak runs as root) and its permissions. With `compress`, a
    file that was rotated, or closed for good, is compressed in the background; the plain one goes when the compressed
    one is on disk. With `suffix` a file has its name only when it is closed for good, and that suffix before. At the
    end of a run a file of a path that never varies is finished like a rotated one. Where a finished file has the name
    already, `.1` and so on stands before the ending of the next one.

    What a killed process left unfinished is finished at the next start: what has the suffix, what was rotated, and
    with `compress` every file that only the time tells apart. Where tags or fields name files to be compressed, give
    a suffix as well: without one, those files could be anybody's.

    A FIFO, a device and /dev/stdout work as well, without sync.

    **Duplicates**: with `dedupe="id"` an event whose field `id` has a value that one of the last `dedupe_max` lines of
    the file has is not written again; it counts as delivered, and the log tells how many there were. So what a crash
    sends again stands in the file once: `dedupe_max` has to be more than what that can be. What the file holds is
    learned from its end when it is opened first (some 0.3 s for 200,000 lines) and takes 130 bytes of memory for each
    id; looking costs 1.3 CPU-s a million events. Events without the field, or with an empty one, are always written.
    Values are compared as they are written, of the record's own fields only. It goes with one file of JSON lines that
    never rotates; what other writers add while it is open, it does not know.

    Example:
        `task(in_.FileTailing("app.log"), out.Json(), out.File("/var/log/app-%Y%m%d.json", compress="gzip"))`

        `task(in_.Forward(), out.File("/srv/logs/{tag}/%Y%m%d.log", format="ltsv", suffix=".part", compress="gzip"))`

        `task(in_.FileTailing("app.log"), out.File("copy.log", format="raw", rotate_size="100m", keep=10))`
    """

    path: str = option("File to append to, made with its folder; strftime, {tag} and {field} may stand in it.")
    format: LineFormat = option("How an event looks.", default="json")
    fsync: Duration | None = option("How long written events may wait for the disk; None never asks it.", default="1s")
    fields: list[str] | None = option("Columns of csv, tsv and ltsv.", default=None)
    header: bool = option("Whether a csv or tsv file begins with the names of its columns.", default=False)
    template: str = option('What a line shows, e.g. "{time} {tag} {message}".', default="")
    zone: str = option('Time zone of the path, the rotation and {time}: "UTC", "local" or a name.', default="UTC")
    mode: str | None = option('Permissions of files it makes, e.g. "0640"; else the umask decides.', default=None)
    rotate_size: Size | None = option("Size that a file does not exceed, save by one batch.", default=None, above=0)
    rotate_every: Duration | None = option("How often a new file begins, e.g. 1h or 1d.", default=None, above=0)
    compress: Literal["gzip", "zstd"] | None = option("What becomes of finished files.", default=None)
    suffix: str = option('Ending of the name until the file is finished, e.g. ".part".', default="")
    open_max: int = option("Files that are open at a time.", default=64, above=0)
    close_after: Duration = option("How long a file of a varying path may be quiet.", default="5m", above=0)
    keep: int | None = option("Rotated files of a path that stay; older ones are removed.", default=None, above=0)
    paths_max: int = option("Files that tags and fields may name within an hour.", default=10_000, above=0)
    dedupe: str | None = option("Field that tells events apart: what the file has is not written again.", default=None)
    dedupe_max: int = option("How many of the last lines dedupe knows.", default=200_000, above=0)

    _aborted = False
    _guard: Guard | None = None
    _sink: FileSet | Stream | None = None
    _format: Format | None = None
    _pending_since: float | None = None
    _well = True
    """Whether the last call ended as it should: only then are files finished when they are closed."""

    def check(self) -> list[tuple[str, str]]:
        rotates = bool(self.rotate_size or self.rotate_every)
        place = self.path, self.suffix, self.mode, self.format, self.header
        return [*problems(Wishes(*place, self.compress, rotates, self.keep, self.dedupe)), *self._shape.problems()]

    def takes_json(self) -> bool:
        return self.format == "json" and self.dedupe is None and not PathTemplate(self.path).by_field

    def writes_to(self) -> list[str]:
        name = self._sample() + self.suffix if self.path else ""
        names = [os.path.abspath(name), os.path.realpath(name)]  # noqa: PTH100 - a Path keeps "a/../b"
        return list(dict.fromkeys(names)) if self.path else []

    def open(self) -> None:
        guard = self._guard = Guard()
        if self._aborted:
            raise aborted_error()
        self._well, self._format = False, self._shape.made()
        try:
            if self.dedupe is None and is_stream(self.path):
                self._sink = self._sink if isinstance(self._sink, Stream) else Stream(self.path)
                self._sink.open(self.path, guard)
            else:
                self._sink = self._sink if isinstance(self._sink, FileSet) else self._files()
                self._sink.open(guard)
        except OSError as error:
            raise explained(error, self.path) from error
        self._well = True

    def write(self, batch: Batch) -> type[Pending] | None:
        assert self._format is not None
        self._well = False
        try:
            if isinstance(self._sink, FileSet):
                self._sink.write(batch, self._format, more=self.more_follows)
            elif self._sink is not None:
                self._sink.write(self._format.encode(batch), WAIT_S)
        except Refused:
            self._well = True
            raise
        except OSError as error:
            raise explained(error, self.path) from error
        self._well = True
        if isinstance(self._sink, FileSet) and (self._sink.pending_bytes or self._sink.lost):
            self._pending_since = self.clock.monotonic() if self._pending_since is None else self._pending_since
            return Pending
        return None

    def sync(self) -> None:
        self._pending_since = None
        if isinstance(self._sink, FileSet):
            self._well = False
            self._sink.sync()
            self._well = True

    def due_at(self) -> float | None:
        sink = self._sink if isinstance(self._sink, FileSet) else None
        if sink is None or self._pending_since is None or self.fsync is None:
            return None if sink is None else sink.due_at()
        return self._pending_since + (0.0 if sink.pending_bytes >= SYNC_BYTES or sink.lost else self.fsync)

    def probe(self) -> bool:
        if isinstance(self._sink, Stream):
            return self._sink.ready()
        path = Path(self._sample())
        folder = next((one for one in path.parents if one.is_dir()), Path())
        return os.access(folder, os.W_OK) and not path.is_dir()

    def inherit(self, old: Output) -> bool:
        if not isinstance(old, File) or old.path != self.path:
            return False
        if not isinstance(old._sink, FileSet):  # noqa: SLF001 - of our own class
            return True  # nothing is ever pending in a stream
        self._sink = self._files()
        if not self._sink.inherit(old._sink):  # noqa: SLF001 - of our own class
            return False
        self._pending_since = old._pending_since  # noqa: SLF001 - of our own class
        return True

    def close(self) -> None:
        if self._guard is None:
            return
        if isinstance(self._sink, FileSet):
            self._sink.close(finish=self._well and not self._guard.aborted)
        elif self._sink is not None:
            self._sink.close(self._guard)
        self._guard.release()

    def abort(self) -> None:
        self._aborted = True
        if self._guard is not None:
            self._guard.abort()

    @cached_property
    def _shape(self) -> Shape:
        return Shape(self.format, self.fields, self.template, zone=self.zone)

    def _files(self) -> FileSet:
        head = self._shape.made().head if self.header else b""
        mode = None if self.mode is None else int(self.mode, 8)
        manner = Manner(self.fsync is not None, mode, head, framing_of(self.format))
        rules = Rules(self.rotate_size, self.rotate_every, self.suffix, self.compress, zone_of(self.zone), self.keep)
        template = PathTemplate(self.path, self.zone, self._tell)
        if self.dedupe is not None:
            return Once(template, self.clock, manner, self.dedupe, self.dedupe_max)
        bounds = Bounds(self.open_max, float(self.close_after), self.paths_max)
        return FileSet(template, self.clock, manner, rules, bounds)

    def _sample(self) -> str:
        return PathTemplate(self.path, self.zone).path("x", self.clock.time_ns(), {})

    def _tell(self, value: str, became: str) -> None:
        if not self._told:
            self._told = True
            self.log.warning("a value cannot stand in a path; it is written as", value=value[:100], became=became)

    _told = False
