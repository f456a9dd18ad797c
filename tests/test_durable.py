from __future__ import annotations

import os
import threading

import pytest

from swak.durable import write_all


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


def test_a_full_disk_is_an_error() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        with pytest.raises(OSError, match="space"):
            write_all(full, b"x")
    finally:
        os.close(full)
