from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from swak.durable import sync_directory, write_all, write_synced

if TYPE_CHECKING:
    from pathlib import Path


def test_a_write_that_the_system_takes_in_pieces_is_whole() -> None:
    reader, writer = os.pipe()
    data = b"x" * 1_000_000  # more than a pipe holds
    thread = threading.Thread(target=write_all, args=(writer, data))
    thread.start()
    try:
        read = b""
        while len(read) < len(data):
            read += os.read(reader, len(data))
    finally:
        thread.join()
        os.close(reader)
        os.close(writer)
    assert read == data


def test_a_file_is_written_anew_and_for_its_owner_only(tmp_path: Path) -> None:
    write_synced(tmp_path / "a", b"a longer one")
    write_synced(tmp_path / "a", b"new")
    sync_directory(tmp_path)
    assert (tmp_path / "a").read_bytes() == b"new"
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600


def test_a_full_disk_is_an_error() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        with pytest.raises(OSError, match="space"):
            write_all(full, b"x")
    finally:
        os.close(full)
