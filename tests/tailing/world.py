"""Files that are written and rotated in every way, and what is known of each byte: who wrote it, where it is now."""

from __future__ import annotations

# ruff: noqa: PTH102, PTH104, PTH108, PTH118, PTH211 - thousands of files are made
import gzip
import os
import re
from typing import TYPE_CHECKING

from swak.tailing.identity import identify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from swak.testing import FakeClock

_NUMBERED = re.compile(r"\.(\d+)(\.gz)?")


class Stream:
    """What was written to a file from one beginning on, until it was truncated or rewritten."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.content = bytearray()
        self.handed = bytearray()
        """For each byte whether it was handed out, and need not be handed out again."""
        self.torn: set[int] = set()
        """Where a half line was handed out: the line end after it never is."""
        self.handed_to = 0
        """Where the last chunk ended, since the last crash."""

    def unread(self, start: int, end: int) -> int:
        """Return how many bytes of a part were not handed out."""
        return sum(1 for at in range(start, end) if not self.handed[at] and not self._is_late_end(at))

    def whole(self, end: int) -> int:
        """Return where the last whole line before `end` ends."""
        return self.content.rfind(b"\n", 0, end) + 1

    def _is_late_end(self, at: int) -> bool:
        if self.content[at] == 0x0A:
            return at in self.torn or (at - 1 in self.torn and self.content[at - 1] == 0x0D)
        return at in self.torn and self.content[at : at + 2] == b"\r\n"


class File:
    """One file: the first `length` bytes of a stream, plain or compressed."""

    def __init__(self, stream: Stream, source: str, path: str) -> None:
        self.stream = stream
        self.source = source
        self.path: str | None = path
        """Where it is; None when it was deleted."""
        self.length = 0
        self.partial = False
        """Whether it is being compressed: the reader may have all of it, and need not have any of it."""
        self.is_copy = False
        self.in_sight = True
        """Whether a reader that does not know it can tell that it came and went."""
        self.was_moved = False
        """Whether its path may have named another file at some time."""


class World:
    """A directory with log files, their writers, and whoever rotates them."""

    def __init__(self, root: str, clock: FakeClock, bases: list[str], *, linked: bool = False) -> None:
        self.root = root
        self.folder = os.path.join(root, "logs")
        self.clock = clock
        self.bases = bases
        self.linked = linked
        """Whether the paths are symbolic links to files with a number."""
        self.at: dict[str, File] = {}
        self.of_source: dict[str, File] = {}
        self.holds: Callable[[str], bool] = lambda _source: False
        """Tells whether the reader has a file open."""
        self.knows: Callable[[str], bool] = lambda _source: False
        """Tells whether the reader has ever met a file."""
        self.loses: Callable[[File], None] = lambda _file: None
        """Called before what a file holds is destroyed."""
        self.streams: list[Stream] = []
        """Everything that was ever written."""
        self.number = 0
        self.folders = 0
        self.links: dict[str, str] = {}
        self.packing: dict[str, tuple[str, bytes]] = {}
        """By path, the rotated file that is being compressed, and what is written beside it."""
        self.copying: dict[str, str] = {}
        """Paths that are being copied, and where to."""
        self.away: dict[str, str] = {}
        os.mkdir(self.folder)

    # Where files are

    def path(self, base: str) -> str:
        """Return where the writer of a path writes."""
        return self.links.get(base) or os.path.join(self.folder, base)

    def current(self, base: str) -> File | None:
        """Return the file at a path."""
        return self.at.get(self.path(base))

    def files(self) -> Iterator[File]:
        """Yield the files whose bytes can be had, by a name or because the reader has them open."""
        for one in self.of_source.values():
            if self.is_there(one):
                yield one

    def is_there(self, one: File) -> bool:
        """Tell whether a reader must find the file."""
        if one.partial:
            return False
        if one.path is None:
            return self.holds(one.source)
        folder, name = os.path.split(one.path)
        if folder != self.folder or "parked" in name:
            return self.knows(one.source)
        return self.knows(one.source) or (one.in_sight and not self._waits_for_a_beginning(one))

    def _waits_for_a_beginning(self, one: File) -> bool:
        """Tell whether nothing says yet that a file came and went: the one that took its place has no line."""
        current = self.current(one.stream.base)
        return current is not None and current is not one and not current.stream.whole(current.length)

    def extent(self, stream: Stream) -> int:
        """Return how many bytes of a stream a reader must find."""
        return max((one.length for one in self.files() if one.stream is stream), default=0)

    def copied(self, stream: Stream, but: File) -> int:
        """Return how many bytes of a stream are in other files, wherever these are."""
        files = [one for one in self.of_source.values() if one is not but and one.stream is stream]
        return max((one.length for one in files if one.path is not None or self.is_there(one)), default=0)

    def rotated(self, base: str) -> list[str]:
        """Return the paths of rotated files, compressed ones included."""
        start = os.path.join(self.folder, base)
        return sorted(path for path in self.at if path.startswith((f"{start}.", f"{start}-")))

    def busy(self, base: str) -> bool:
        """Tell whether a rotation of this path is under way."""
        return base in self.copying or base in self.packing

    def idle(self) -> list[str]:
        """Return the paths that name a file and are not being rotated."""
        return [base for base in self.bases if self.current(base) is not None and not self.busy(base)]

    def late(self) -> list[File]:
        """Return the rotated files that their writers may still write to.

        Not while one is compressed, or once a compressed one is beside it: what is written then, compression loses.
        """
        free = [base for base in self.bases if base not in self.packing]
        rotated = [self.at[path] for base in free for path in self.rotated(base)]
        return [one for one in rotated if not one.is_copy]

    def packable(self) -> list[str]:
        """Return the paths of rotated files that can be compressed now."""
        paths = [path for base in self.bases if not self.busy(base) for path in self.rotated(base)]
        return [path for path in paths if not path.endswith(".gz") and f"{path}.gz" not in self.at]

    def deletable(self) -> list[str]:
        """Return the paths of files that nobody works on."""
        free = [base for base in self.bases if not self.busy(base)]
        return [path for base in free for path in [self.path(base), *self.rotated(base)] if path in self.at]

    # Writers

    def write(self, base: str, data: bytes) -> None:
        """Add to the file at the path; make it when it is not there."""
        one = self.current(base) or self.create(base)
        self.add(one, data)

    def add(self, one: File, data: bytes) -> None:
        """Add to a file, wherever it is now."""
        assert one.path is not None
        if one.was_moved and not one.length and not self.knows(one.source):
            one.in_sight = False  # it was empty, as a copy is at first, when it was met
        fd = os.open(one.path, os.O_WRONLY | os.O_APPEND)
        os.write(fd, data)
        os.close(fd)
        self._stamp(one.path)
        one.stream.content += data
        one.stream.handed += bytes(len(data))
        one.length = len(one.stream.content)

    def create(self, base: str) -> File:
        """Make an empty file at the path."""
        if self.linked:
            self.swap(base)
            one = self.current(base)
            assert one is not None
            return one
        return self._make(self.path(base), self._begin(base))

    def _begin(self, base: str) -> Stream:
        self.streams.append(Stream(base))
        return self.streams[-1]

    def _make(self, path: str, stream: Stream, data: bytes = b"", made_ns: int | None = None) -> File:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        os.write(fd, data)
        source = identify(fd)
        os.close(fd)
        self._stamp(path, made_ns)
        one = self.at[path] = self.of_source[source] = File(stream, source, path)
        return one

    def _stamp(self, path: str, made_ns: int | None = None) -> None:
        at_ns = self.clock.time_ns() if made_ns is None else made_ns
        os.utime(path, ns=(at_ns, at_ns))

    # Rotations

    def rename(self, base: str, *, dated: bool) -> None:
        """Rename the file at the path, and first of all those that were rotated before."""
        if self.current(base) is None:
            return
        start = os.path.join(self.folder, base)
        if dated:
            self.number += 1
            self._move(start, f"{start}-2024{self.number:04d}")
            return
        self._make_room(start)
        self._move(start, f"{start}.1")

    def _make_room(self, start: str) -> None:
        numbered = [(_NUMBERED.fullmatch(path, len(start)), path) for path in self.at if path.startswith(start)]
        for match, path in sorted(((m, p) for m, p in numbered if m), key=lambda one: -int(one[0][1])):
            self._move(path, f"{start}.{int(match[1]) + 1}{match[2] or ''}")

    def _move(self, path: str, to: str) -> None:
        os.rename(path, to)
        one = self.at[to] = self.at.pop(path)
        one.path, one.was_moved = to, True

    def begin_packing(self, base: str, path: str, share: int) -> None:
        """Begin to compress a rotated file: a part of the compressed one is beside it."""
        one = self.at[path]
        packed = gzip.compress(bytes(one.stream.content[: one.length]), mtime=0)
        beside = self._make(f"{path}.gz", one.stream, packed[: len(packed) * share // 4])
        beside.partial = beside.is_copy = True
        beside.length = one.length
        beside.in_sight = one.in_sight  # nothing more is known of what a file held that came and went unseen
        self.packing[base] = path, packed

    def end_packing(self, base: str) -> None:
        """Write the rest of it, and delete the plain file."""
        path, packed = self.packing.pop(base)
        beside = self.at[f"{path}.gz"]
        with open(f"{path}.gz", "r+b", buffering=0) as packed_file:  # noqa: PTH123 - as above
            written = packed_file.seek(0, os.SEEK_END)
            packed_file.write(packed[written:])
        self._stamp(f"{path}.gz", os.stat(path).st_mtime_ns)  # noqa: PTH116 - as above
        beside.partial = False
        self.delete(path)

    def begin_copy(self, base: str, share: int) -> None:
        """Begin to copy the file at the path to `.1`."""
        one = self.current(base)
        if one is None or not (one.length or self.knows(one.source)):
            return  # what has no number yet could be anything
        start = os.path.join(self.folder, base)
        self._make_room(start)
        length = one.length * share // 4
        if length or not self.knows(one.source):
            length = max(length, one.stream.content.find(b">") + 1)
        copy = self._make(f"{start}.1", one.stream, bytes(one.stream.content[:length]))
        copy.length, copy.is_copy = length, True
        self.copying[base] = f"{start}.1"

    def go_on_copying(self, base: str) -> None:
        """Copy what the file holds now."""
        one, copy = self.current(base), self.at[self.copying[base]]
        if one is None or one.stream is not copy.stream or copy.path is None:
            return
        with open(copy.path, "ab", buffering=0) as copied:  # noqa: PTH123 - as above
            copied.write(one.stream.content[copy.length :])
        self._stamp(copy.path)
        copy.length = one.length

    def end_copy(self, base: str) -> None:
        """Truncate the file that was copied."""
        del self.copying[base]
        self.rewrite(base, b"")

    def rewrite(self, base: str, data: bytes) -> None:
        """Write other content over that of the file at the path, or nothing at all."""
        one = self.current(base)
        if one is None or one.path is None:
            return
        self.loses(one)
        one.stream, one.length = self._begin(base), 0
        fd = os.open(one.path, os.O_WRONLY)
        os.truncate(fd, 0)
        os.close(fd)
        self._stamp(one.path)
        if data:
            self.add(one, data)

    def delete(self, path: str) -> None:
        """Delete a file."""
        one = self.at.pop(path)
        os.unlink(path)
        one.path = None
        one.was_moved = True

    def swap(self, base: str) -> None:
        """Make a new file, and have the symbolic link name it."""
        self.number += 1
        path = os.path.join(self.folder, f"{base[:-4]}-{self.number:04d}.log")
        self._make(path, self._begin(base))
        link = os.path.join(self.folder, base)
        old = self.current(base)
        os.symlink(path, f"{link}~")
        os.rename(f"{link}~", link)
        self.links[base] = path
        if old is not None:
            old.was_moved = True

    def move_away(self, base: str) -> None:
        """Give the file at the path a name that says nothing."""
        if self.current(base) is not None and base not in self.away:
            self.number += 1
            self.away[base] = os.path.join(self.folder, f"parked-{self.number}")
            self._move(self.path(base), self.away[base])

    def move_back(self, base: str) -> None:
        """Give it its path again, if that is free."""
        path = self.away.get(base)
        if path in self.at and path is not None and self.current(base) is None:
            del self.away[base]
            self._move(path, self.path(base))
            for one in self.of_source.values():  # nothing shows that others had the path meanwhile
                one.in_sight &= one.stream.base != base or self.knows(one.source)

    def rename_folder(self) -> None:
        """Rename the directory, and put a new one in its place."""
        self.folders += 1
        old = f"{self.folder}.{self.folders}"
        os.rename(self.folder, old)
        os.mkdir(self.folder)
        for path in [path for path in self.at if path.startswith(f"{self.folder}/")]:
            one = self.at[old + path[len(self.folder) :]] = self.at.pop(path)
            one.path, one.was_moved = old + path[len(self.folder) :], True
        self.away.clear()
        self.links.clear()
