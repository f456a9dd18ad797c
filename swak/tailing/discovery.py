"""Finding files: what the paths and patterns name now, and where the generations of a path went meanwhile."""

from __future__ import annotations

# ruff: noqa: PTH100, PTH111, PTH112, PTH113, PTH116, PTH119, PTH120, PTH207 - a Path changes spellings, and costs ten times as much
import errno
import fnmatch
import glob
import os
import re
import stat
from typing import TYPE_CHECKING, NamedTuple

from swak.log import get
from swak.tailing.identity import (
    Key,
    Mark,
    head_matches,
    identify,
    inode_of,
    key_of,
    may_be_same,
    path_text,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from swak.tailing.growth import Entry

log = get("swak.tailing")

_COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".lz4", ".lzma", ".z", ".zip")
_ROTATED = re.compile(r"[.-](\d[\w.:-]*|old|bak|prev|orig|save)", re.ASCII)
"""What a rotated file has after its path: a number or date ("-20240131", ".1", ".2024-01-31") or such a word."""
_WATCHED_MAX = 256
"""Directories of one input that are watched for new names; what is beyond is found by looking."""
_SCANS_MAX = 3


class Opened(NamedTuple):
    """An open file, and the position up to which it was read, if it ever was."""

    fd: int
    status: os.stat_result
    source: str
    mark: Mark | None

    @property
    def key(self) -> Key:
        """Device and inode."""
        return key_of(self.status)

    @property
    def touched_ns(self) -> int:
        """When the file was last written to or renamed."""
        return max(self.status.st_mtime_ns, self.status.st_ctime_ns)


class Wanted:
    """The paths and glob patterns of one input, made absolute; `exclude` takes away from what patterns match."""

    def __init__(self, paths: Sequence[str], exclude: Sequence[str] = ()) -> None:
        absolute = [os.path.abspath(os.path.expanduser(path)) for path in paths]
        self.plain = [path for path in absolute if not glob.has_magic(path)]
        self.patterns = [path for path in absolute if glob.has_magic(path)]
        self.identity = ", ".join(map(path_text, absolute))
        """The paths as one text: the key of their positions in a checkpoint."""
        self._exclude = [os.path.expanduser(one) for one in exclude]
        self._names = {(os.path.dirname(path), os.path.basename(path)) for path in self.plain}
        self._last = [os.path.basename(pattern) for pattern in self.patterns]
        self._told: set[str] = set()
        self._troubles: dict[str, str] = {}

    def paths(self) -> list[str]:
        """Return the plain paths, there or not, and the files that patterns match now, each once."""
        found = dict.fromkeys(self.plain)
        for pattern in self.patterns:
            self._note_root(_root(pattern))
            for path in sorted(glob.iglob(pattern, recursive=True)):
                if path not in found and not self._excluded(path) and os.path.isfile(path):
                    found[path] = None
        return list(found)

    def misnamed(self) -> list[str]:
        """Return the plain paths that name a directory."""
        return [path for path in self.plain if os.path.isdir(path)]

    def directories(self, paths: Sequence[str]) -> list[str]:
        """Return the directories in which names that matter may come and go."""
        roots = [_root(pattern) for pattern in self.patterns]
        return list(dict.fromkeys([*roots, *map(os.path.dirname, self.plain), *map(os.path.dirname, paths)]))[
            :_WATCHED_MAX
        ]

    def concerns(self, entry: Entry) -> bool:
        """Tell whether a name that came or went may change what `paths` returns."""
        if not entry.name or (entry.is_directory and self.patterns):
            return True
        named = (entry.directory, entry.name) in self._names
        return named or any(fnmatch.fnmatchcase(entry.name, last) for last in self._last)

    def _note_root(self, root: str) -> None:
        """Tell, once for each change, that a pattern matches nothing because its directory cannot be listed."""
        try:
            os.scandir(root).close()
            trouble = ""
        except OSError as error:
            trouble = str(error)
        if trouble != self._troubles.get(root, ""):
            self._troubles[root] = trouble
            if trouble:
                log.bind(path=path_text(root)).warning("directory of a pattern cannot be listed", error=trouble)
            else:
                log.info("directory of a pattern is there now", path=path_text(root))

    def _excluded(self, path: str) -> bool:
        if any(fnmatch.fnmatchcase(path if "/" in one else os.path.basename(path), one) for one in self._exclude):
            return True
        if not path.lower().endswith(_COMPRESSED):
            return False
        if path not in self._told and len(self._told) < 1_000:
            self._told.add(path)
            log.info("compressed file left alone", path=path_text(path))
        return True


def open_file(path: str, known: Mapping[str, Mark]) -> Opened:
    """Open a regular file and look up among `known` how far it was read. OSError when it cannot be read."""
    flags = os.O_RDONLY
    for name in ("O_NONBLOCK", "O_CLOEXEC", "O_NOCTTY", "O_BINARY"):  # a pipe in the file's place must not hang us
        flags |= getattr(os, name, 0)
    fd = os.open(path, flags)
    try:
        status = os.fstat(fd)
        _require_regular(status, path)
        seen = identify(fd)
        source = seen if seen in known else _renumbered(fd, seen, known)
        return Opened(fd, status, source, known.get(source))
    except BaseException:
        os.close(fd)
        raise


class NotRegularError(OSError):
    """The path names a directory, a pipe, a socket or a device."""

    def __init__(self, mode: int, path: str) -> None:
        directory = stat.S_ISDIR(mode)
        what = "a directory" if directory else "a named pipe" if stat.S_ISFIFO(mode) else "a device or a socket"
        super().__init__(errno.EISDIR if directory else errno.EINVAL, f"is {what}, not a regular file", path)


def _require_regular(status: os.stat_result, path: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise NotRegularError(status.st_mode, path)


def find_known(path: str, known: Mapping[str, Mark]) -> tuple[list[Opened], set[str]]:
    """Open the generations in `known` that still lie in the directory of `path`, under whatever name.

    Return them with the sources that were not found. The directory is searched again when one was not found and
    names changed meanwhile. OSError when it cannot be listed.
    """
    directory = os.path.dirname(path)
    found: dict[str, Opened] = {}
    _add_known(found, path, known)
    try:
        for _ in range(_SCANS_MAX if len(found) < len(known) else 0):
            before = os.stat(directory).st_mtime_ns
            inodes = {inode_of(source) for source in known if source not in found}
            for entry in _entries(directory):
                if entry.inode() in inodes or _is_generation(entry.name, os.path.basename(path)):
                    _add_known(found, entry.path, known)
            if len(found) == len(known) or os.stat(directory).st_mtime_ns == before:
                break
    except BaseException:
        close_all(found.values())
        raise
    return list(found.values()), set(known) - set(found)


def find_unseen(path: str, known: Mapping[str, Mark], followed: Collection[str], since_ns: int) -> list[Opened]:
    """Open the rotated generations of `path` that nobody read yet, oldest first.

    They are named as the path with a suffix of rotation, are not compressed, neither in `known` nor `followed`, and
    were changed at `since_ns` or later. OSError when the directory cannot be listed.
    """
    directory, base = os.path.split(path)
    unseen: dict[str, Opened] = {}
    for entry in _entries(directory):
        if not entry.name.startswith(base) or entry.name == base or entry.name.lower().endswith(_COMPRESSED):
            continue
        try:
            if not entry.is_file() or entry.stat().st_mtime_ns < since_ns:
                continue
            if not _is_generation(entry.name, base):
                if entry.name[len(base)] in ".-_":
                    log.info("not taken for a rotated generation", path=path_text(path), name=path_text(entry.name))
                continue
            opened = open_file(entry.path, known)
        except FileNotFoundError:
            continue  # renamed or deleted while we looked: the next look finds it
        except OSError as error:
            log.error("cannot read a rotated file", path=path_text(entry.path), error=str(error))
            continue
        if opened.source in known or opened.source in followed or opened.source in unseen:
            os.close(opened.fd)
        else:
            unseen[opened.source] = opened
    return sorted(unseen.values(), key=lambda one: one.status.st_mtime_ns)


def vanished(directory: str, known: Mapping[str, Mark]) -> set[str]:
    """Return the sources that have no name in the directory any more. OSError when it cannot be listed."""
    entries = _entries(directory)
    if not entries:
        return set()  # perhaps the bare mount point of a disk that comes later
    inodes = {inode_of(source) for source in known}
    there: set[str] = set()
    for entry in entries:
        if entry.inode() in inodes:
            try:
                opened = open_file(entry.path, known)
            except OSError:  # unreadable is not gone
                there.update(source for source in known if inode_of(source) == entry.inode())
                continue
            there.add(opened.source)
            os.close(opened.fd)
    return set(known) - there


def close_all(opened: Collection[Opened] | Iterator[Opened]) -> None:
    """Close files that are not followed."""
    for one in opened:
        os.close(one.fd)


def _add_known(found: dict[str, Opened], path: str, known: Mapping[str, Mark]) -> None:
    try:
        opened = open_file(path, known)
    except NotRegularError:
        return  # an inode of that number that is no file of ours
    except FileNotFoundError:
        return  # renamed or deleted while we looked: then the directory is searched again
    except OSError as error:
        log.error("cannot read a rotated file", path=path_text(path), error=str(error))
        return
    if opened.mark is None or opened.source in found:
        os.close(opened.fd)
    else:
        found[opened.source] = opened


def _renumbered(fd: int, seen: str, known: Mapping[str, Mark]) -> str:
    for source, mark in known.items():
        if mark.head_len and may_be_same(source, seen) and head_matches(fd, mark):
            return source
    return seen


def _is_generation(name: str, base: str) -> bool:
    if not name.startswith(base) or name.lower().endswith(_COMPRESSED):
        return False
    return name == base or _ROTATED.fullmatch(name, len(base)) is not None


def _entries(directory: str) -> list[os.DirEntry[str]]:
    with os.scandir(directory) as entries:
        return list(entries)


def _root(pattern: str) -> str:
    while glob.has_magic(pattern):
        pattern = os.path.dirname(pattern)
    return pattern
