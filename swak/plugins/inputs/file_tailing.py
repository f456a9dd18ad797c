"""Follow files as they grow."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from swak.errors import EndOfInput
from swak.event import Block, Chunk
from swak.options import Size, option
from swak.plugin import Input
from swak.tailing.checks import problems
from swak.tailing.descriptors import open_files_max
from swak.tailing.extents import Extents, reached
from swak.tailing.files import Files
from swak.tailing.growth import Growth
from swak.tailing.identity import Mark, mark_from, marks_from
from swak.tailing.lineage import Generation, Pace
from swak.tailing.multiline import parse_multiline
from swak.tailing.shape import Limits, Shape
from swak.tailing.shortfalls import Shortfalls
from swak.tailing.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Mapping

    from swak.ack import Position
    from swak.plugin import Extent
    from swak.tailing.turns import Taken

STRIDE_S = 0.02
"""How long a read that must not wait goes on looking for the end of one very long line."""


class FileTailing(Input):
    r"""Read lines from files, and go on reading as they grow and are rotated.

    A path is a file, a directory (every file under it), or a pattern (`*`, `?`, `[...]`, and `**` for any depth);
    relative ones count from the working directory. Files that appear later are read from their start. Every line is an
    event with the field `message`; lines of UTF-8 pass as bytes, untouched. What is not yet ended by a line feed
    waits, unless `follow=False`. A line longer than `max_line` is cut there, at a character.

    Where it stands is kept for each file (device, inode, the kernel's file handle, hashes of the first KiB and of the
    64 bytes before the position), so nothing is lost or read twice when a file is

    - **renamed and created anew**: the old file is read to its end. When it was quiet for 1 s (or is at its end 10 s
      after the rotation, but still written to), the new one follows. The old one is closed when all of it is settled
      and it was quiet for a minute; what is added to it after that is found within 5 s as long as it has a name.
    - **renamed while swak is down**: it is looked for by identity, in its directory, where a link led, and where its
      directory was renamed to. Then come generations that nobody read, oldest first: named as the path and `.` or `-`
      and a number, a date or `old`, `bak`, `prev`, `orig`, `save`, compressed (gzip, bzip2, xz) or not, and changed
      since. What is not found again is named in a warning; what was seen of it counts as dropped.
    - **compressed**: a file that was read in part is read on in its compressed successor.
    - **copied and truncated**: what was not read yet is read from the copy beside it, before the file's new content.
    - **replaced under a symbolic link, moved away and back, linked twice**.

    Dropped is what was unread in a file that is truncated without a copy, or deleted while swak is down: counted as
    far as it was seen, in a warning and in the receipt. Not seen at all is what `copytruncate` itself drops between
    its copy and its truncation. Two contents of one file cannot be told apart when their first KiB and the 64 bytes
    before the position are the same. Under a pattern, a copy of a followed file (`cp a.log a.log.1`) is not read. A
    file that was closed and is moved out of its directory for more than an hour is read anew when it comes back.

    - **Encodings**: any of Python's for text; a byte order mark wins. What is no text becomes U+FFFD where it is
      decoded, and is counted; `raw="field"` keeps the bytes of such lines. Other encodings than UTF-8 become UTF-8.
    - **Events of several lines**: `multiline=r"^\d{4}-"` names the pattern of their first line, or
      `multiline={"start": ..., "continue": ..., "end": ..., "timeout": "1s", "max_bytes": "256KiB"}`. Patterns are
      searched in each line. An event that may go on is handed out after the timeout, at a rotation, and when swak
      stops. One that would be larger than `max_bytes` is split there, and counted.
    - **Header lines**, such as W3C's `#Fields:`, tell how to read what follows. Where a file is read on in its middle,
      after a restart or with `from_="end"`, the last line before that begins like each of `header` comes once more.
    - **Compressed files** that a pattern matches are left alone and told; with `compressed=True` gzip, bzip2 and xz
      are read (positions count unpacked bytes: a restart unpacks again what it skips).
    - **Ids**: with `fields=["id"]` each event has a short text that is the same whenever it is read again, after a
      restart, a rename, or in a copy: a hash of the file's identity and of how often its content began anew, the
      offset of the first byte, and a checksum of the text. Outputs can refuse what has an id that they hold already
      (`out.File(dedupe="id")`). Parsers need `keep=True` to leave the field in; a field `id` of the text replaces it.
      A header line that comes once more has none.
    - **Missing, not permitted, failing**: told once, and tried again each second; other files go on meanwhile. A file
      that grows and is not read for 10 s is opened again.
    - **Thousands of files**: the soft limit of open files is raised to the hard one. Beyond that the files that are
      quiet for longest are closed; one that is deleted while it is closed takes with it what was added meanwhile.

    Growth is noticed by inotify; where that cannot be had (other systems, network file systems, its limits) sizes are
    compared every 40 ms, or less often with more than 400 files, and the log says so. `watch="poll"` does so always.

    Example:
        `task(in_.FileTailing("/var/log/nginx/*.log", exclude="error*"), out.Stdout())`
    """

    path: str | list[str] = option("File, directory or pattern to read, or a list of them.")
    from_: Literal["start", "end"] = option(
        "Where to begin in files that are there at the very first start; later files are read from their start.",
        default="start",
    )
    follow: bool = option("Whether to wait for more at the end of the files.", default=True)
    tag: str = option("Tag of the events.", default="file")
    max_line: Size = option("Longest line that is delivered whole.", default="1MiB", above=0)
    exclude: str | list[str] = option("Patterns of paths, or of names when without a slash, to leave out.", default=[])
    watch: Literal["auto", "poll"] = option("How files are noticed: by events, or by looking only.", default="auto")
    compressed: bool = option("Whether patterns take compressed files, too.", default=False)
    encoding: str = option("Encoding of the files, any of Python's for text.", default="utf-8")
    raw: str = option("Field for the bytes of a line that are no text, as they were read; none if empty.", default="")
    multiline: str | dict[str, Any] | None = option(
        "How lines make one event: the pattern of its first line, or start, continue, end, timeout, max_bytes.",
        default=None,
    )
    fields: list[str] = option(
        'Fields to add: any of "path", "offset" (of the first byte), "host", "id" (the same if it is read again).',
        default=[],
    )
    header: list[str] = option('How lines begin that tell how to read the following ones, e.g. "#Fields:".', default=[])

    replays: ClassVar[bool] = True
    wait_s: float = 5.0
    """Longer than usual, as `interrupt` ends the wait: waking up is most of what an idle input costs."""
    _files: Files | None = None
    _shortfalls: Shortfalls | None = None
    _marks: dict[str, Mark] | None = None
    _extents: Extents | None = None

    def check(self) -> list[tuple[str, str]]:
        return list(problems(_listed(self.path), self.fields, self.encoding, self.multiline))

    @property
    def identity(self) -> str:
        return self.tree().identity

    @property
    def shortfalls(self) -> Shortfalls:
        """What did not come through as it stood in the files."""
        return self._shortfalls or Shortfalls()

    def notes(self) -> str:
        return self.shortfalls.text()

    def losses(self) -> dict[str, int]:
        found = self.shortfalls
        return {"truncated or deleted unread, bytes": found.bytes_dropped, "cut by max_line, bytes": found.bytes_cut}

    def reads(self, path: str) -> bool:
        return self.tree().wants(path)

    def seek(self, positions: Mapping[str, Position]) -> None:
        self._marks = marks_from(positions) if positions else None

    def open(self) -> None:
        self._shortfalls = self.shortfalls  # those of before, where it is opened anew
        self._extents = Extents(self._marks or {})
        shape = Shape(
            self._shortfalls,
            Limits(line_bytes=self.max_line),
            encoding=self.encoding,
            multiline=None if self.multiline is None else parse_multiline(self.multiline),
            fields=self.fields,
            host=socket.gethostname(),
            raw_field=self.raw,
            header=self.header,
        )
        self._files = Files(
            self.tree(),
            self._marks or {},
            clock=self.clock,
            shape=shape,
            growth=Growth[Generation](poll=self.watch == "poll"),
            pace=Pace() if self._patient else Pace(0, 0, 0, finish=not self.follow),
            from_end=self.from_ == "end" and self._marks is None,
            open_max=open_files_max(),
            settled=None if self.settled is None else self._settled_to,
        )

    def read(self) -> Chunk | list[Chunk] | None:
        assert self._files is not None, "read comes after open"
        began = time.monotonic()
        while True:
            taken = self._files.next()
            if taken is not None:
                chunks = [self._chunk(one) for one in self._files.more(taken)]
                return chunks if len(chunks) > 1 else chunks[0]
            if self._files.over and not self._patient:
                raise EndOfInput
            passed_s = time.monotonic() - began
            if passed_s >= self.wait_s and not (self._files.busy and passed_s < STRIDE_S):
                return None
            if self._files.wait(max(0.0, self.wait_s - passed_s)):
                return None

    def rest(self) -> Chunk | None:
        taken = self._files.rest() if self._files is not None else None
        return None if taken is None else self._chunk(taken)

    def due_at(self) -> float | None:
        return None if self._files is None else self._files.due_at()

    def gone(self) -> list[str]:
        gone = self._files.gone() if self._files else []
        if gone and self._extents is not None:
            self._extents.forget(gone)
        return gone

    def extents(self) -> Mapping[str, list[Extent]]:
        return self._extents.told() if self._extents is not None else {}

    def reached(self, position: Position) -> tuple[int, int] | None:
        return reached(position)

    def interrupt(self) -> None:
        files = self._files
        if files is not None:
            files.wake()

    def abort(self) -> None:
        self.interrupt()

    def close(self) -> None:
        files, self._files = self._files, None
        if files is not None:
            files.close()

    def _chunk(self, taken: Taken) -> Chunk:
        assert self._extents is not None
        self._extents.note(taken.source, taken.mark, empty=taken.body is None)
        body = taken.body if taken.body is not None else Block(b"", taken.mark.time_ns)
        return Chunk(body, self.tag, taken.source, taken.mark.as_position())

    def _settled_to(self, source: str) -> Mark | None:
        position = self.settled(source) if self.settled is not None else None
        return None if position is None else mark_from(position)

    def tree(self) -> Tree:
        """Return the files that it means; nothing is looked at yet."""
        return Tree(_listed(self.path), _listed(self.exclude), compressed=self.compressed)

    @property
    def _patient(self) -> bool:
        return self.follow and not self.once


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
