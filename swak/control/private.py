"""Files that hold secrets: read only where nobody else may read or change them."""

from __future__ import annotations

import os
import stat
from errno import EFBIG, EINVAL, EPERM
from pathlib import Path

SIZE_MAX = 1024 * 1024
OTHERS = stat.S_IRWXO | stat.S_IWGRP
"""What a mode must not grant. The group may read: root gives a file to a service's group so."""


def read_private(path: str | Path) -> str:
    """Return the text of a file. OSError says what is wrong with it, and how to mend it."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0))
    with open(descriptor, "rb") as file:  # noqa: PTH123 - what is looked at is what is read
        _check(os.fstat(descriptor), path)
        held = file.read(SIZE_MAX + 1)
    if len(held) > SIZE_MAX:
        raise OSError(EFBIG, f"{path} is larger than {SIZE_MAX} bytes")
    try:
        return held.decode()
    except UnicodeDecodeError as error:
        raise OSError(EINVAL, f"{path} is no UTF-8 text") from error


def check_private(path: str | Path) -> None:
    """Look whether others may read or change a file. OSError: they may, or it cannot be looked at."""
    _check(Path(path).stat(), path)


def told(error: OSError, path: str | Path) -> str:
    """Return what is wrong with a file, with its path."""
    text = error.strerror or str(error)
    return text if str(path) in text else f"{path}: {text}"


def _check(found: os.stat_result, path: str | Path) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise OSError(EINVAL, f"{path} is no file")
    if not hasattr(os, "geteuid"):
        return  # Windows has no such modes
    if found.st_uid not in {os.geteuid(), 0}:
        raise OSError(EPERM, f"{path} belongs to user {found.st_uid}, who may change it: give it to your own or root")
    if found.st_mode & OTHERS:
        raise OSError(EPERM, f"{path} can be read or changed by others: chmod 600 {path}")
