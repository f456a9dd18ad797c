"""Finding the generations of a file: under a new name, in a renamed directory, as a copy, compressed."""

from __future__ import annotations

# ruff: noqa: PTH116, PTH118, PTH119, PTH120, PTH208 - a Path changes spellings, and costs ten times as much
import errno
import os
import re
import stat
from typing import TYPE_CHECKING, NamedTuple

from swak.log import get
from swak.tailing.content import Content, Unpacked, begins_with, can_unpack, content_of, copy_matches, suffix_of
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
from swak.tailing.listing import Listings, beginning_with

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

log = get("swak.tailing")

_ROTATED = re.compile(r"[.-](\d[\w.:-]*|old|bak|prev|orig|save)", re.ASCII)
"""What a rotated file has after its path: a number or date ("-20240131", ".1", ".2024-01-31") or such a word."""
_DIGITS = re.compile(r"\d+")
_DATE_DIGITS = 6
"""A number of so many digits is a date: the later, the younger. Of smaller ones ".2" is older than ".1"."""
_SCANS_MAX = 3
_SIBLINGS_MAX = 10_000
"""Directories beside a missing one that are looked at, in case that it was renamed."""


class Opened(NamedTuple):
    """An open file, and the position up to which it was read, if it ever was."""

    content: Content
    status: os.stat_result
    source: str
    mark: Mark | None
    path: str
    """Where it is now."""
    is_copy: bool = False
    """Whether it is known to be a copy, which nobody writes to."""

    @property
    def key(self) -> Key:
        """Device and inode."""
        return key_of(self.status)

    @property
    def touched_ns(self) -> int:
        """When the file was last written to or renamed."""
        return max(self.status.st_mtime_ns, self.status.st_ctime_ns)

    @property
    def packed(self) -> bool:
        """Whether the file is compressed: positions are in what it holds, its size is not."""
        return isinstance(self.content, Unpacked)

    @property
    def is_read(self) -> bool:
        """Whether nothing was added after the position."""
        if self.mark is None:
            return False
        if self.packed:
            return 0 < self.mark.size_bytes == self.mark.offset and self.status.st_mtime_ns <= self.mark.time_ns
        return self.status.st_size == self.mark.offset

    def close(self) -> None:
        """Close a file that is not followed."""
        self.content.close()
        os.close(self.content.fd)


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
        return Opened(content_of(fd, path), status, source, known.get(source), path)
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


def real_place(path: str, fd: int) -> tuple[str, str]:
    """Return where a file really is when that is not `path`, and device and inode of the directory it is in.

    OSError when it is gone: then neither is known.
    """
    real = os.path.realpath(path)
    folder = os.stat(os.path.dirname(real))
    if key_of(os.stat(real)) != key_of(os.fstat(fd)):
        raise FileNotFoundError(errno.ENOENT, "another file took its place", path)
    return "" if real == path else real, f"{folder.st_dev:x}:{folder.st_ino}"


def find_known(path: str, known: Mapping[str, Mark], listings: Listings | None = None) -> tuple[list[Opened], set[str]]:
    """Open the generations in `known` that can be found by what they are, whatever their names are now.

    Return them with the sources that were not found. They are looked for at their path, in the directories where they
    were, and where these were renamed to. OSError when the directory of `path` cannot be listed.
    """
    found: dict[str, Opened] = {}
    try:
        _add_known(found, path, known)
        missing = {source: known[source] for source in known if source not in found}
        for directory in _homes(path, missing.values()) if missing else ():
            try:
                _search(directory, os.path.basename(path), missing, found, listings or Listings())
            except FileNotFoundError:
                continue  # it was renamed, or removed with everything in it
            missing = {source: known[source] for source in known if source not in found}
            if not missing:
                break
    except BaseException:
        close_all(found.values())
        raise
    return list(found.values()), set(known) - set(found)


def _search(directory: str, base: str, known: Mapping[str, Mark], found: dict[str, Opened], listings: Listings) -> None:
    """Look through a directory, again when one was not found and names changed meanwhile."""
    for _ in range(_SCANS_MAX):
        before = os.stat(directory).st_mtime_ns
        for source in known:
            for path in listings.paths(directory, inode_of(source)) if source not in found else ():
                _add_known(found, path, known)
        if not set(known) <= set(found):
            for name in beginning_with(directory, base):  # on a device that numbers its inodes anew
                if is_generation(name, base):
                    _add_known(found, os.path.join(directory, name), known)
        if set(known) <= set(found) or os.stat(directory).st_mtime_ns == before:
            return


def _homes(path: str, marks: Iterable[Mark]) -> Iterator[str]:
    """Yield the directories in which the files may be: as they were called, and as they are called now."""
    directories = dict.fromkeys([os.path.dirname(path)])
    folders: dict[str, str] = {}
    for mark in marks:
        directory = os.path.dirname(mark.real or path)
        directories[directory] = None
        if mark.folder:
            folders[mark.folder] = directory
    yield from directories
    for folder, directory in folders.items():
        renamed = _renamed(directory, folder)
        if renamed is not None and renamed not in directories:
            yield renamed


def _renamed(directory: str, folder: str) -> str | None:
    """Return where the directory with this device and inode is now: it, or one that it is in, got another name."""
    above, below = directory, ""
    while os.path.dirname(above) != above:
        above, name = os.path.split(above)
        try:
            for entry in _entries(above)[:_SIBLINGS_MAX]:
                candidate = os.path.join(entry.path, below) if below else entry.path
                if _is_folder(candidate, folder):
                    return candidate
        except OSError as error:
            log.debug("cannot look for a renamed directory", directory=path_text(above), error=str(error))
        below = os.path.join(name, below) if below else name
    return None


def _is_folder(path: str, folder: str) -> bool:
    try:
        status = os.stat(path)
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and f"{status.st_dev:x}:{status.st_ino}" == folder


def find_copy(path: str, mark: Mark, others: Collection[str]) -> Opened | None:
    """Open the file that holds what was read up to `mark` and is none of `others`: a copy, or compressed.

    It is looked for among the rotated names beside `path` and where the file really was, the newest first.
    """
    if not mark.offset:
        return None  # anything holds nothing
    for opened in _beside(path, mark, others):
        if holds(opened.content, mark):
            return opened._replace(mark=mark)
        opened.close()
    return None


def _beside(path: str, mark: Mark, others: Collection[str]) -> Iterator[Opened]:
    """Open, one by one, the rotated files where the file of a mark was, the newest first. The caller closes them."""
    for directory, base in dict.fromkeys([os.path.split(path), os.path.split(mark.real or path)]):
        try:
            paths = [
                os.path.join(directory, name)
                for name in beginning_with(directory, base)
                if is_generation(name, base, packed=True)
            ]
        except OSError as error:
            log.debug("cannot look for copies", directory=path_text(directory), error=str(error))
            continue
        for place in sorted(paths, key=_modified_ns, reverse=True):
            opened = _open_quietly(place) if place != path else None
            if opened is None:
                continue
            if opened.source in others:
                opened.close()
            else:
                yield opened


def holds(content: Content, mark: Mark) -> bool:
    """Tell whether a file holds what was read up to the position. A damaged one does not."""
    try:
        return copy_matches(content, mark.head_len, mark.head_hash, mark.tail_len, mark.tail_hash, mark.offset)
    except OSError as error:
        log.debug("cannot be compared", error=str(error))
        return False


def find_unseen(path: str, known: Mapping[str, Mark], followed: Collection[str], since_ns: int) -> list[Opened]:
    """Open the rotated generations of `path` that nobody read yet, oldest first.

    They are named as the path (or, behind a symbolic link, as what it names) with a suffix of rotation, neither in
    `known` nor `followed`, and were changed at `since_ns` or later. Copies in the making, of the file that is at `path`
    now, are none. OSError when the directory cannot be listed.
    """
    unseen: dict[str, Opened] = {}
    real = os.path.realpath(path)
    try:
        for place in dict.fromkeys([path, real]):
            _add_unseen(unseen, place, known, followed, since_ns, behind_link=place != path)
        _drop_copies(unseen, path)
    except BaseException:
        close_all(unseen.values())
        raise
    return sorted(unseen.values(), key=_age)


def _add_unseen(
    unseen: dict[str, Opened],
    path: str,
    known: Mapping[str, Mark],
    followed: Collection[str],
    since_ns: int,
    *,
    behind_link: bool,
) -> None:
    directory, base = os.path.split(path)
    names = set(os.listdir(directory) if behind_link else beginning_with(directory, base))
    for name in names:
        suffix = suffix_of(name)
        if name == base or (suffix and (name[: len(name) - len(suffix)] in names or not can_unpack(name))):
            continue  # while it is being compressed, the plain file is there as well
        if not is_generation(name, base, packed=True) and not (behind_link and _alike(name, base)):
            continue
        place = os.path.join(directory, name)
        try:
            status = os.stat(place)
            if not stat.S_ISREG(status.st_mode) or status.st_mtime_ns < since_ns:
                continue
            opened = open_file(place, known)
        except FileNotFoundError:
            continue  # renamed or deleted while we looked: the next look finds it
        except OSError as error:
            log.error("cannot read a rotated file", path=path_text(place), error=str(error))
            continue
        met = opened.source in known or opened.source in followed or opened.source in unseen
        if met or (suffix and not opened.packed):
            opened.close()
        else:
            unseen[opened.source] = opened


def _age(opened: Opened) -> tuple[int, int, str]:
    """Order from the oldest on: by the last write, and within one tick of the clock by number or date in the name."""
    name = opened.path[: len(opened.path) - len(suffix_of(opened.path))]
    number = name.rpartition(".")[2]
    return opened.status.st_mtime_ns, -int(number) if number.isdecimal() and len(number) < _DATE_DIGITS else 0, name


def _drop_copies(unseen: dict[str, Opened], path: str) -> None:
    """Leave out, and close, what holds the beginning of the file at the path: that is read there."""
    current = _open_quietly(path) if unseen else None
    if current is None:
        return
    try:
        for source, one in list(unseen.items()):
            if _is_beginning(one.content, current.content):
                unseen.pop(source).close()
    finally:
        current.close()


def _is_beginning(part: Content, whole: Content) -> bool:
    """Tell whether a file holds nothing but the beginning of another. An empty or damaged one does not."""
    try:
        return part.size() > 0 and begins_with(whole, part)
    except OSError as error:
        log.debug("cannot be compared", error=str(error))
        return False


def _alike(name: str, base: str) -> bool:
    """Tell whether two names differ in their numbers only, as names with dates do."""
    return _DIGITS.search(base) is not None and _DIGITS.sub("#", name) == _DIGITS.sub("#", base)


def is_generation(name: str, base: str, *, packed: bool = False) -> bool:
    """Tell whether a name is the base, or the base and a suffix of rotation; with `packed`, compressed or not."""
    suffix = suffix_of(name)
    if suffix:
        if not packed or not can_unpack(name):
            return False
        name = name[: len(name) - len(suffix)]
    if not name.startswith(base):
        return False
    return name == base or _ROTATED.fullmatch(name, len(base)) is not None


def originals(path: str) -> set[str]:
    """Return the paths of which `path` may be a rotated or compressed generation."""
    directory, name = os.path.split(path)
    bare = name[: len(name) - len(suffix_of(name))]
    found = {bare} | {bare[: match.start()] for match in re.finditer("[.-]", bare)}
    return {os.path.join(directory, base) for base in found if base and is_generation(bare, base)}


def close_all(opened: Iterable[Opened]) -> None:
    """Close files that are not followed."""
    for one in opened:
        one.close()


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
        opened.close()
    else:
        found[opened.source] = opened


def _open_quietly(path: str) -> Opened | None:
    try:
        return open_file(path, {})
    except OSError as error:
        log.debug("cannot be compared", path=path_text(path), error=str(error))
        return None


def _renumbered(fd: int, seen: str, known: Mapping[str, Mark]) -> str:
    for source, mark in known.items():
        if mark.head_len and may_be_same(source, seen) and head_matches(fd, mark):
            return source
    return seen


def _modified_ns(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:  # gone since it was listed
        return 0


def _entries(directory: str) -> list[os.DirEntry[str]]:
    with os.scandir(directory) as entries:
        return list(entries)
