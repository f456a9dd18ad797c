"""The files of one input: what its paths and patterns name, and which of them are worth comparing now."""

from __future__ import annotations

# ruff: noqa: PTH100, PTH111, PTH112, PTH116, PTH118, PTH119, PTH120 - a Path changes spellings, and costs ten times as much
import errno
import fnmatch
import glob
import itertools
import os
import re
from typing import TYPE_CHECKING

from swak.log import get
from swak.tailing.folders import Folders
from swak.tailing.globs import Globs
from swak.tailing.identity import key_of, path_text
from swak.tailing.stamp import Stamp, look_up

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from swak.tailing.growth import Entry
    from swak.tailing.identity import Key

log = get("swak.tailing")

WATCHED_MAX = 8_192
"""Directories of one input that are watched for new names; what is beyond is found by looking."""
COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".lz4", ".lzma", ".z", ".zip")
READABLE = (".gz", ".bz2", ".xz", ".lzma")
"""Suffixes of compressed content, and those of them that can be read."""
_TOLD_MAX = 1_000


class _Parent:
    """The directory of plain paths."""

    __slots__ = ("key", "linked", "paths", "stamp")

    def __init__(self) -> None:
        self.stamp = Stamp()
        self.key: Key | None = None
        self.linked = False
        self.paths: list[str] = []


class Tree:
    """The paths and glob patterns of one input, made absolute. All for one thread.

    A plain path is meant whether it is there or not. One that is a directory means every file under it, as
    `path/**/*` would; that is found out anew whenever it changes. `exclude` (names, or paths where there is a "/")
    takes away from what patterns and directories mean, and so does a suffix of compression, unless `compressed` allows
    it and it can be read.
    """

    def __init__(self, paths: Sequence[str], exclude: Sequence[str] = (), *, compressed: bool = False) -> None:
        """Nothing is looked at yet."""
        absolute = [os.path.abspath(os.path.expanduser(path)) for path in paths]
        self.plain = [path for path in absolute if not glob.has_magic(path)]
        self.patterns = [path for path in absolute if glob.has_magic(path)]
        self.identity = ", ".join(map(path_text, absolute))
        """The paths as one text: the key of their positions in a checkpoint."""
        self._exclude = [("/" in one, re.compile(fnmatch.translate(os.path.expanduser(one)))) for one in exclude]
        self._refused = tuple(suffix for suffix in COMPRESSED if not (compressed and suffix in READABLE))
        self._told: set[str] = set()
        self._told_many = False
        self._globs = Globs(self.patterns)
        self._folders = Folders(self._globs, self._keeps)
        self._is_folder: dict[str, bool] = {}
        """Of each plain path, once it was looked at, whether it is a directory."""
        self._linked: dict[str, None] = {}
        """Plain paths that lead through a symbolic link: it may be changed without a trace in their directory."""
        self._parents: dict[str, _Parent] = {}
        for path in self.plain:
            self._parents.setdefault(os.path.dirname(path), _Parent()).paths.append(path)
        self._stand_ins: dict[str, str] = {}
        """Of directories that are not there, the nearest ancestor that is."""
        self._revision = 0

    @property
    def revision(self) -> int:
        """A number that grows when `directories` must be asked again, and all of them be watched anew."""
        return self._revision + self._folders.revision

    def look(self) -> list[str]:
        """Look at every directory; return the paths to compare, there or not: plain ones first, each once.

        These are the paths that are new or gone, all in a directory that changed, and symbolic links. The first call
        returns all. It costs some 3 us for each directory and link, and more only where something changed.
        """
        touched: dict[str, None] = {}
        for directory, parent in self._parents.items():
            self._look_at_parent(directory, parent, touched)
        for path in [path for path in self._linked if path not in touched]:
            self._examine(path, touched)
        self._folders.look()
        if any(_nearest(absent) != there for absent, there in self._stand_ins.items()):
            self._revision += 1
        return list(dict.fromkeys([*touched, *self._folders.touched()]))

    def note(self, entries: Iterable[Entry]) -> list[str]:
        """Take up names that came or went; return the paths to compare. Nothing is listed but new directories.

        An empty name stands for the directory itself.
        """
        touched: dict[str, None] = {}
        ancestors = set(self._stand_ins.values())
        for directory, name, _ in sorted(entries):
            path = os.path.join(directory, name) if name else directory
            if path in self._is_folder and name:
                self._examine(path, touched)
            if directory in ancestors:
                self._note_ancestor(path, touched)
            if name:
                self._folders.note(directory, name)
                continue
            if directory in self._parents:
                self._parents[directory].stamp.unsettle()
                self._look_at_parent(directory, self._parents[directory], touched)
            self._folders.look_at(directory)
        return list(dict.fromkeys([*touched, *self._folders.touched()]))

    def paths(self) -> list[str]:
        """Return the plain paths, there or not, that are no directories, and the other files meant, each once."""
        plain = (path for path in self.plain if not self._is_folder.get(path))
        return list(dict.fromkeys([*plain, *self._folders.paths()]))

    def directories(self) -> list[str]:
        """Return the directories in which names that matter may come and go, at most WATCHED_MAX.

        For one that is not there it is the nearest ancestor that is.
        """
        absent = [path for path in self._parents if not os.path.isdir(path)] + self._folders.absent()
        self._stand_ins = {path: _nearest(path) for path in absent}
        there = [self._stand_ins.get(path, path) for path in self._parents]
        found = dict.fromkeys([*there, *self._stand_ins.values(), *self._folders.present()])
        if len(found) > WATCHED_MAX and not self._told_many:
            self._told_many = True
            log.warning(
                "too many directories to be watched; new names in the others are found by looking now and then",
                directories=len(found),
                watched=WATCHED_MAX,
                mend="narrow the patterns",
            )
        return list(itertools.islice(found, WATCHED_MAX))

    def wants(self, path: str) -> bool:
        """Tell whether a file of this path would be read. The file system is not asked."""
        path = os.path.abspath(os.path.expanduser(path))
        if path in self.plain:
            return True
        if self._excluded(path) or path.lower().endswith(self._refused):
            return False
        roots = [*self._globs.roots.items(), *((plain, self._globs.below) for plain in self.plain)]
        return any(self._globs.means(path, root, mask) for root, mask in roots)

    def _look_at_parent(self, directory: str, parent: _Parent, touched: dict[str, None]) -> None:
        status = trouble = None
        try:
            status = os.stat(directory)
        except OSError as error:
            trouble = error.errno
        if parent.stamp.moved_on(status):
            key = status and key_of(status)
            if key != parent.key:
                parent.key = key
                self._revision += 1
            parent.linked = os.path.realpath(directory) != directory
            for path in parent.paths:
                self._examine(path, touched)
        if trouble not in (None, errno.ENOENT, errno.ENOTDIR):
            parent.stamp.unsettle()  # whoever opens the paths finds out the same, and tells it

    def _examine(self, path: str, touched: dict[str, None]) -> None:
        """Find out what a plain path is now; it is touched unless it is a directory still."""
        kind, linked = look_up(path)
        before = self._is_folder.get(path)
        now = bool(before) if kind == "unknown" else kind == "folder"
        if now and not before:
            self._folders.add_root(path)
        elif before and not now:
            self._folders.remove_root(path)
        self._is_folder[path] = now
        if not now or before is False:
            touched[path] = None
        if linked or self._parents[os.path.dirname(path)].linked:
            self._linked[path] = None
        else:
            self._linked.pop(path, None)

    def _note_ancestor(self, path: str, touched: dict[str, None]) -> None:
        """Look for directories that were not there, as an ancestor of them came or went."""
        prefix = os.path.join(path, "")
        for absent, ancestor in self._stand_ins.items():
            if absent != path and not absent.startswith(prefix) and ancestor != path:
                continue
            self._revision += 1
            if absent in self._parents:
                self._look_at_parent(absent, self._parents[absent], touched)
            self._folders.look_at(absent)

    def _keeps(self, path: str) -> bool:
        """Tell whether a path that a pattern matches is meant after all."""
        if self._excluded(path):
            return False
        if not path.lower().endswith(self._refused):
            return True
        if path not in self._told and len(self._told) < _TOLD_MAX:
            self._told.add(path)
            log.info("compressed file left alone", path=path_text(path))
        return False

    def _excluded(self, path: str) -> bool:
        return any(one.match(path if whole else os.path.basename(path)) for whole, one in self._exclude)


def _nearest(path: str) -> str:
    """Return the directory itself, or its nearest ancestor that is there."""
    while not os.path.isdir(path):
        path, below = os.path.dirname(path), path
        if path == below:
            break
    return path
