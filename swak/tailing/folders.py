"""The directories in which patterns may match: listed again only when they changed."""

from __future__ import annotations

# ruff: noqa: PTH112, PTH116, PTH118 - a Path changes spellings, and costs ten times as much
import errno
import os
import stat
from collections import defaultdict, deque
from typing import TYPE_CHECKING

from swak.log import get
from swak.tailing.identity import Key, key_of, path_text
from swak.tailing.stamp import GONE, Stamp, look_up, target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from swak.tailing.globs import Globs
    from swak.tailing.stamp import Kind

    Start = tuple[str, int, bool]
    """A directory to enter, the parts of patterns that go on in it, and whether its name is a symbolic link."""

log = get("swak.tailing")


class _Folder:
    """A directory, and those of its names that matter."""

    __slots__ = ("files", "folders", "key", "links", "mask", "meant", "path", "prefix", "stamp")

    def __init__(self, path: str, meant: int, mask: int, key: Key | None) -> None:
        self.path = path
        self.prefix = os.path.join(path, "")
        self.meant = meant
        """The parts of patterns that lead here."""
        self.mask = mask
        """Those of them that have not led to the same directory by another path."""
        self.key = key
        """None: a root that is not there."""
        self.stamp = Stamp()
        self.files: set[str] = set()
        self.folders: dict[str, int] = {}
        self.links: dict[str, Kind] = {}
        """Symbolic links, and what they led to: that may change without a trace in this directory."""


class Folders:
    """Knows which files the patterns mean, and tells of which it is worth while to compare them.

    For each part of a pattern a directory is entered once, by whatever path it was found first (of those found in one
    walk, by a path without symbolic links): links that lead in a circle come to an end.
    """

    def __init__(self, globs: Globs, keeps: Callable[[str], bool]) -> None:
        """Nothing is looked at yet. `keeps` tells whether a path that matches is meant after all."""
        self.revision = 0
        """Grows when `present` or `absent` may have changed, or a directory was replaced by another one."""
        self._globs = globs
        self._keeps = keeps
        self._roots = dict(globs.roots)
        self._folders: dict[str, _Folder] = {}
        self._waiting: dict[str, int] = {}
        """Directories that were not entered (for all parts): those known by another path, and unreadable ones."""
        self._links: dict[str, tuple[_Folder, str]] = {}
        self._claims: defaultdict[Key, dict[str, int]] = defaultdict(dict)
        self._troubles: dict[str, str] = {}
        self._touched: dict[str, None] = {}

    def look(self) -> None:
        """Look at every directory, and list those that changed."""
        known = list(self._folders.values())
        self._walk([(path, mask, False) for path, mask in self._roots.items() if path not in self._folders])
        for folder in known:
            self._look_at(folder)
        for path, (folder, name) in list(self._links.items()):
            if self._links.get(path) != (folder, name):
                continue
            if target(path) not in (folder.links[name], "unknown"):
                self._walk(self._take_up(folder, name))
            elif name in folder.files:
                self._touched[path] = None
        self._retry()

    def look_at(self, path: str) -> None:
        """Look at one directory and list it, whether it seems changed or not. Do nothing when it is not known."""
        folder = self._folders.get(path)
        if folder is not None:
            folder.stamp.unsettle()
            self._look_at(folder)
            self._retry()

    def note(self, directory: str, name: str) -> None:
        """Take up that a name came, went or was replaced."""
        folder = self._folders.get(directory)
        if folder is not None:
            starts = self._take_up(folder, name)
            if starts:
                self._walk(starts)
                self._retry()

    def add_root(self, path: str) -> None:
        """From now on everything under this directory is meant."""
        self._roots[path] = self._roots.get(path, 0) | self._globs.below
        self._walk([(path, self._roots[path], False)])

    def remove_root(self, path: str) -> None:
        """Take `add_root` back, as the path is no directory any more."""
        del self._roots[path]
        if path in self._globs.roots:
            self._roots[path] = self._globs.roots[path]
        self._walk(self._drop(path))
        self._retry()

    def touched(self) -> list[str]:
        """Return the files to compare since the last call."""
        touched, self._touched = self._touched, {}
        return list(touched)

    def paths(self) -> list[str]:
        """Return the files that are meant."""
        return [folder.prefix + name for folder in self._folders.values() for name in sorted(folder.files)]

    def present(self) -> list[str]:
        """Return the directories that were entered."""
        return [path for path, folder in self._folders.items() if folder.key is not None]

    def absent(self) -> list[str]:
        """Return the roots that are not there."""
        return [path for path, folder in self._folders.items() if folder.key is None]

    def _look_at(self, folder: _Folder) -> None:
        path = folder.path
        try:
            status = os.stat(path)
        except OSError as error:
            if error.errno not in GONE:
                self._tell(path, str(error))  # unreadable is not gone
                folder.stamp.moved_on(None)
                folder.stamp.unsettle()
                return
            status = None
        if not folder.stamp.moved_on(status) or self._folders.get(path) is not folder:
            return
        if status is not None and stat.S_ISDIR(status.st_mode) and key_of(status) == folder.key:
            self._walk(self._list(folder))
        else:
            self._walk([*self._drop(path), (path, folder.meant, False)])

    def _retry(self) -> None:
        """Enter what could not be entered and now can."""
        self._walk([(path, mask, False) for path, mask in self._waiting.items()])

    def _walk(self, starts: list[Start]) -> None:
        """Enter directories, and those that they lead to: first without, then through symbolic links."""
        ahead = starts[::-1]
        through_links: deque[Start] = deque()
        while ahead or through_links:
            path, mask, _ = ahead.pop() if ahead else through_links.popleft()
            found = self._enter(path, mask)
            ahead += [start for start in reversed(found) if not start[2]]
            through_links += [start for start in found if start[2]]

    def _enter(self, path: str, mask: int) -> list[Start]:
        known, starts = self._folders.get(path), []
        if known is not None:
            known.meant |= mask
            if known.key is None:
                stays = not os.path.isdir(path)
            else:
                stays = known.meant & ~self._claimed(known.key, path) == known.mask
            if stays:
                return []
            mask = known.meant
            starts = self._drop(path)
        self._waiting.pop(path, None)
        try:
            status = _status(path)
        except OSError as error:
            self._stay_out(path, mask, error)
            return starts
        key = key_of(status)
        free = mask & ~self._claimed(key, path)
        if free != mask:
            self._waiting[path] = mask
        if not free:
            return starts
        folder = self._folders[path] = _Folder(path, mask, free, key)
        folder.stamp.moved_on(status)
        self._claims[key][path] = free
        self.revision += 1
        return starts + self._list(folder)

    def _stay_out(self, path: str, mask: int, error: OSError) -> None:
        gone = error.errno in GONE
        if path in self._roots:
            folder = self._folders[path] = _Folder(path, mask, 0, None)
            folder.stamp.moved_on(None)
            if not gone:
                folder.stamp.unsettle()
            self.revision += 1
        elif not gone:
            self._waiting[path] = mask
        if path in self._roots or not gone:
            self._tell(path, str(error))
        else:
            self._troubles.pop(path, None)

    def _drop(self, path: str) -> list[Start]:
        """Forget a directory and what was found in it; return the roots among them, which are to be looked at."""
        roots, ahead = [], [path]
        while ahead:
            path = ahead.pop()
            self._waiting.pop(path, None)
            if path in self._roots:
                roots.append((path, self._roots[path], False))
            else:
                self._troubles.pop(path, None)
            folder = self._folders.pop(path, None)
            if folder is None:
                continue
            self.revision += 1
            for name in sorted(folder.files):
                self._touched[folder.prefix + name] = None
            for name in folder.links:
                del self._links[folder.prefix + name]
            if folder.key is not None:
                del self._claims[folder.key][path]
                if not self._claims[folder.key]:
                    del self._claims[folder.key]
            ahead += [folder.prefix + name for name in folder.folders]
        return roots

    def _claimed(self, key: Key, path: str) -> int:
        """Return for which parts the directory was entered by another path."""
        claimed = 0
        for other, mask in self._claims.get(key, {}).items():
            if other != path:
                claimed |= mask
        return claimed

    def _list(self, folder: _Folder) -> list[Start]:
        """Compare a directory's names with what is known; return the directories to enter."""
        files, folders, links = folder.files, folder.folders, folder.links
        folder.files, folder.folders, folder.links = set(), {}, {}
        rules = self._globs.rules(folder.mask)
        try:
            for name, kind, linked in _probe(folder, rules.literals) if rules.spelled_out else _scan(folder):
                self._sort_in(folder, name, kind, linked, folders)
            self._tell(folder.path, "")
        except OSError as error:
            folder.stamp.unsettle()
            folder.files |= files  # unreadable is not gone, and what is gone is found out by the next look
            folder.folders = {**folders, **folder.folders}
            folder.links = {**links, **folder.links}
            if error.errno not in GONE:
                for name, kind, linked in _probe(folder, rules.literals):
                    self._sort_in(folder, name, kind, linked, folders)
                self._tell(folder.path, str(error))
        for name in sorted(files | folder.files):
            self._touched[folder.prefix + name] = None
        for name in links:
            del self._links[folder.prefix + name]
        for name in folder.links:
            self._links[folder.prefix + name] = folder, name
        starts = [start for name in folders if name not in folder.folders for start in self._drop(folder.prefix + name)]
        for name, mask in sorted(folder.folders.items()):
            path = folder.prefix + name
            known = self._folders.get(path)
            if (known is None or mask & ~known.meant) and self._waiting.get(path) != mask:
                starts.append((path, mask, name in folder.links))
        return starts

    def _sort_in(self, folder: _Folder, name: str, kind: Kind, linked: bool, folders: Mapping[str, int]) -> None:
        """Keep a name if it matters. What is unknown is as in `folders`, or else a file: who opens it is told why."""
        test = self._globs.rules(folder.mask).file
        matches = test is not None and test(name)
        mask = self._globs.enter(folder.mask, name) if linked or kind in ("folder", "unknown") else 0
        if kind == "unknown":
            kind = "folder" if name in folders else "file"
        if linked and (matches or mask):
            folder.links[name] = kind
        if kind == "folder" and mask:
            folder.folders[name] = mask
        elif kind == "file" and matches and self._keeps(folder.prefix + name):
            folder.files.add(name)

    def _take_up(self, folder: _Folder, name: str) -> list[Start]:
        """Look at one name of a directory; return the directories to enter."""
        test = self._globs.rules(folder.mask).file
        if not (test is not None and test(name)) and not self._globs.enter(folder.mask, name):
            return []
        path = folder.prefix + name
        kind, linked = look_up(path)
        starts: list[Start] = []
        before = name in folder.files
        if kind != "unknown":
            folder.files.discard(name)
            if folder.folders.pop(name, 0):
                starts = self._drop(path)
            if folder.links.pop(name, None):
                del self._links[path]
        self._sort_in(folder, name, kind, linked, folder.folders)
        if name in folder.links:
            self._links[path] = folder, name
        if before or name in folder.files:
            self._touched[path] = None
        if name in folder.folders:
            starts.append((path, folder.folders[name], linked))
        return starts

    def _tell(self, path: str, trouble: str) -> None:
        """Tell, once for each change, that a pattern matches nothing in a directory because it cannot be listed."""
        if trouble == self._troubles.get(path, ""):
            return
        if trouble:
            self._troubles[path] = trouble
            log.bind(path=path_text(path)).warning("directory of a pattern cannot be listed", error=trouble)
        else:
            del self._troubles[path]
            log.info("directory of a pattern is there now", path=path_text(path))


def _status(path: str) -> os.stat_result:
    status = os.stat(path)
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
    return status


def _scan(folder: _Folder) -> Iterable[tuple[str, Kind, bool]]:
    """Yield the names of a directory. Only a link costs a system call, where the listing tells the kinds."""
    with os.scandir(folder.path) as entries:
        for entry in entries:
            if entry.is_symlink():
                yield entry.name, look_up(entry.path)[0], True
                continue
            try:
                kind: Kind = "file" if entry.is_file() else "folder" if entry.is_dir() else "nothing"
            except OSError:
                kind = "unknown"
            yield entry.name, kind, False


def _probe(folder: _Folder, names: Iterable[str]) -> Iterable[tuple[str, Kind, bool]]:
    for name in names:
        yield name, *look_up(folder.prefix + name)
