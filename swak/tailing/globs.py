"""Glob patterns, part by part: which files of a directory are meant, and which of its directories lead to more."""

from __future__ import annotations

# ruff: noqa: PTH118, PTH120, PTH206 - a Path changes spellings, and costs ten times as much
import fnmatch
import glob
import os
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Test = Callable[[str], object]

_FLAGS = re.IGNORECASE if os.path.normcase("A") == "a" else re.NOFLAG
_ANY = "**"
_HIDDEN_NOT = r"(?!\.)"
_RULES_MAX = 1_024


class Rules(NamedTuple):
    """What is meant in directories of one mask."""

    file: Test | None
    """Whether a file of such a name is meant. None: none is."""
    folders: list[tuple[Test, int]]
    """Whether a directory of such a name leads further, and the parts of patterns that go on in it."""
    literals: list[str]
    """The names that are spelled out: they can be asked for where a directory cannot be listed."""
    spelled_out: bool
    """Whether no other names than the literals can match."""


class Globs:
    """Patterns as `glob.glob(recursive=True)` understands them.

    A mask says how far patterns got in a directory: bit i stands for the i-th of all their parts, which is to match a
    name in that directory. `**` stands for any depth of directories, none included, but no hidden ones.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self._parts: list[str] = []
        self._last: list[bool] = []
        self._cache: dict[int, Rules] = {}
        self.roots: dict[str, int] = {}
        """Where each pattern begins to match: its longest beginning without wildcards, and the mask there."""
        for pattern in patterns:
            root = _root(pattern)
            self.roots[root] = self.roots.get(root, 0) | self._add(pattern.removeprefix(root).lstrip(os.sep))
        self.below = self._add(os.path.join(_ANY, "*"))
        """The mask of a directory in which every file is meant, at any depth."""

    def rules(self, mask: int) -> Rules:
        """Return what is meant in a directory of this mask."""
        rules = self._cache.get(mask)
        if rules is None:
            if len(self._cache) >= _RULES_MAX:
                self._cache.clear()
            rules = self._cache[mask] = self._compile(mask)
        return rules

    def enter(self, mask: int, name: str) -> int:
        """Return the mask of a sub-directory; 0 when nothing in it is meant."""
        found = 0
        for test, further in self.rules(mask).folders:
            if test(name):
                found |= further
        return found

    def means(self, path: str, root: str, mask: int) -> bool:
        """Tell whether a file of this path is meant, when the directory `root` has this mask."""
        prefix = os.path.join(root, "")
        if not path.startswith(prefix):
            return False
        *folders, name = path[len(prefix) :].split(os.sep)
        for folder in folders:
            mask = self.enter(mask, folder)
        test = self.rules(mask).file
        return test is not None and bool(test(name))

    def _add(self, pattern: str) -> int:
        begin = len(self._parts)
        parts = pattern.split(os.sep)
        self._parts += parts
        self._last += [False] * (len(parts) - 1) + [True]
        return self._reach(begin)

    def _reach(self, part: int) -> int:
        """Return the bit of a part, and of those behind it that may match as well, as `**` may stand for nothing."""
        mask = 1 << part
        while self._parts[part] == _ANY and not self._last[part]:
            part += 1
            mask |= 1 << part
        return mask

    def _compile(self, mask: int) -> Rules:
        files, folders, literals = [], [], []
        bits = [part for part in range(len(self._parts)) if mask >> part & 1]
        for bit in bits:
            part, last = self._parts[bit], self._last[bit]
            if not glob.has_magic(part):
                literals.append(part)
            source = _source(part)
            if last:
                files.append(f"(?:{source})")
            if part == _ANY:
                folders.append((_test(source), self._reach(bit)))
            elif not last:
                folders.append((_test(source), self._reach(bit + 1)))
        file = _test("|".join(files)) if files else None
        return Rules(file, folders, literals, len(literals) == len(bits))


def _root(pattern: str) -> str:
    while glob.has_magic(pattern):
        above = os.path.dirname(pattern)
        if above == pattern:
            break  # the "?" in what long paths of Windows begin with
        pattern = above
    return pattern


def _source(part: str) -> str:
    """Return a regular expression: wildcards match no hidden name, unless the part begins with a dot."""
    if part == _ANY:
        return _HIDDEN_NOT
    return fnmatch.translate(part) if part.startswith(".") else _HIDDEN_NOT + fnmatch.translate(part)


def _test(source: str) -> Test:
    return re.compile(source, _FLAGS).match
