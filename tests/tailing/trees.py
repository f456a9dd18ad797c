"""What tests of patterns share: small random trees of files, and what a pattern means by Python's own glob."""

from __future__ import annotations

import glob
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NAMES = ["a", "b", ".h", "x.log", "y.log", "ab"]
PARTS = ["a", "b", "*", "**", "?", "[ab]", "x.log", "*.log", ".*", ".h", "[!a]*", "**.log", "[.]h", "*b", "["]


def magic(parts: Iterable[str]) -> bool:
    """Tell whether a pattern of these parts has any wildcards."""
    return any(glob.has_magic(part) for part in parts)


def build(folder: str, files: Iterable[Sequence[str]]) -> None:
    """Make files with the directories that they need; what is in the way of another one is left out."""
    for parts in files:
        path = Path(folder, *parts)
        if any(one.is_file() for one in path.parents) or path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def files_of(folder: str) -> list[str]:
    """Return every file under a folder."""
    return [os.path.join(root, name) for root, _, names in os.walk(folder) for name in names]  # noqa: PTH118


def by_glob(paths: Iterable[str]) -> set[str]:
    """Return what paths and patterns mean: a directory means everything under it."""
    found: set[str] = set()
    for path in paths:
        if not glob.has_magic(path) and not Path(path).is_dir():
            found.add(path)
            continue
        pattern = path if glob.has_magic(path) else f"{path}/**/*"
        found |= {one for one in glob.glob(pattern, recursive=True) if os.path.isfile(one)}  # noqa: PTH113, PTH207
    return found


def tick() -> None:
    """Wait until the clock that file systems use moved on, at most some milliseconds: the next change has another time.

    AssertionError when it does not within 5 s.
    """
    deadline = time.monotonic() + 5.0
    with tempfile.TemporaryFile() as probe:
        begin_ns = os.fstat(probe.fileno()).st_mtime_ns
        while os.fstat(probe.fileno()).st_mtime_ns == begin_ns:
            assert time.monotonic() < deadline
            os.utime(probe.fileno())
