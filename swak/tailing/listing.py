"""What is in a directory, asked by inode or by the beginning of a name, at little cost for many files."""

from __future__ import annotations

# ruff: noqa: PTH116, PTH208 - a Path changes spellings, and costs ten times as much
import os
from collections import OrderedDict, defaultdict

from swak.tailing.stamp import Stamp

_DIRECTORIES_MAX = 64


class Listings:
    """Directories whose entries were listed by inode, and listed again only when they changed. For one thread.

    Thousands of files of one directory are looked for at a restart: each listing costs some milliseconds then.
    """

    def __init__(self) -> None:
        self._listed: OrderedDict[str, tuple[Stamp, dict[int, list[str]]]] = OrderedDict()

    def paths(self, directory: str, inode: int) -> list[str]:
        """Return the paths in a directory that have this inode number. OSError when it cannot be listed."""
        stamp, by_inode = self._listed.get(directory, (Stamp(), {}))
        if stamp.moved_on(os.stat(directory)):
            by_inode = defaultdict(list)
            with os.scandir(directory) as entries:
                for entry in entries:
                    by_inode[entry.inode()].append(entry.path)
            self._listed[directory] = stamp, by_inode
            while len(self._listed) > _DIRECTORIES_MAX:
                self._listed.popitem(last=False)
        return by_inode.get(inode, [])


def beginning_with(directory: str, base: str) -> list[str]:
    """Return the names in a directory that begin with `base`. OSError when it cannot be listed."""
    return [name for name in os.listdir(directory) if name.startswith(base)]
