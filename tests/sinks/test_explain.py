from __future__ import annotations

import errno

from swak.sinks.explain import explained


def test_an_error_says_how_to_mend_it_and_where() -> None:
    text = str(explained(OSError(errno.ENOSPC, "No space left"), "/x"))
    assert text.startswith(f"[Errno {errno.ENOSPC}] No space left: the disk is full; nothing of the batch was kept")
    assert text.endswith("'/x'")


def test_an_error_keeps_its_own_file() -> None:
    assert explained(PermissionError(errno.EACCES, "denied", "/own"), "/x").filename == "/own"


def test_what_cannot_be_mended_is_told_as_it_is() -> None:
    assert str(explained(OSError(errno.EIO, "I/O error"), "/x")) == f"[Errno {errno.EIO}] I/O error: '/x'"
