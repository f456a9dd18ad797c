"""What to do about an error of the file system, in its text."""

from __future__ import annotations

from errno import EACCES, EDQUOT, EISDIR, ENAMETOOLONG, ENOSPC, ENOTDIR, ENXIO, EROFS

_MEND = {
    EISDIR: "it is a folder; name a file in it",
    ENOTDIR: "something above it is no folder",
    EACCES: "let this user read and write it (mode and owner of the file and its folder)",
    EROFS: "the file system is read-only",
    ENXIO: "nobody reads this FIFO yet",
    ENOSPC: "the disk is full; nothing of the batch was kept, it is tried again",
    EDQUOT: "this user's share of the disk is full; nothing of the batch was kept, it is tried again",
    ENAMETOOLONG: "the path is too long; shorten its folders",
}


def explained(error: OSError, path: str) -> OSError:
    """Return the same error with the way to mend it, and with a file: its own, or else `path`."""
    mend = _MEND.get(error.errno or 0)
    return OSError(error.errno, f"{error.strerror}{': ' if mend else ''}{mend or ''}", error.filename or path)
