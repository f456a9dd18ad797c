from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from swak.control.private import SIZE_MAX, check_private, read_private, told

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text("x")
    path.chmod(0o600)
    return path


@pytest.mark.skipif(sys.platform == "win32", reason="modes of POSIX")
@pytest.mark.parametrize(
    ("mode", "well"), [(0o600, True), (0o640, True), (0o644, False), (0o620, False), (0o602, False)]
)
def test_others_may_neither_read_nor_change_it_and_a_group_may_read_it(secret: Path, mode: int, well: bool) -> None:
    secret.chmod(mode)
    if well:
        check_private(secret)
        assert read_private(secret) == "x"
    else:
        with pytest.raises(OSError, match="chmod 600"):
            check_private(secret)
        with pytest.raises(OSError, match="chmod 600"):
            read_private(secret)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may give files away")
def test_it_belongs_to_us_or_to_root(secret: Path) -> None:
    os.chown(secret, 65534, 65534)
    with pytest.raises(OSError, match="belongs to user 65534"):
        read_private(secret)


def test_what_is_no_file_of_text_is_refused(tmp_path: Path, secret: Path) -> None:
    with pytest.raises(OSError, match="no file"):
        check_private(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_private(tmp_path / "missing")
    secret.write_bytes(b"\xff")
    with pytest.raises(OSError, match="no UTF-8"):
        read_private(secret)
    secret.write_bytes(b"x" * (SIZE_MAX + 1))
    with pytest.raises(OSError, match="larger"):
        read_private(secret)


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")
def test_a_pipe_in_its_place_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(OSError, match="no file"):
        read_private(tmp_path / "pipe")


def test_an_error_is_told_with_its_path_once() -> None:
    assert told(OSError(2, "No such file"), "/a") == "/a: No such file"
    assert told(OSError(1, "/a is no file"), "/a") == "/a is no file"
