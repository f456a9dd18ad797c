from __future__ import annotations

import select
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from swak.tailing.mounts import Mounts
from tests.tailing.tails import WAIT_S, count_of_descriptors

if TYPE_CHECKING:
    from pathlib import Path

linux = pytest.mark.skipif(sys.platform != "linux", reason="mounts are noticed on Linux only")


def test_nothing_is_told_while_nothing_is_mounted() -> None:
    mounts = Mounts()
    assert not mounts.changed()
    mounts.close()


@linux
def test_a_mount_is_told_once(tmp_path: Path) -> None:
    mounts = Mounts()
    made = subprocess.run(["mount", "-t", "tmpfs", "none", str(tmp_path)], capture_output=True, check=False)
    if made.returncode:
        mounts.close()
        pytest.skip(f"mounting is not permitted here: {made.stderr.decode().strip()}")
    try:
        mounts.noted = select.select([mounts.fd], [], [], WAIT_S)[0] == [mounts.fd]
        assert mounts.changed()
        assert not mounts.changed()
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
        mounts.close()


def test_no_descriptor_is_left() -> None:
    before = count_of_descriptors()
    for _ in range(3):
        Mounts().close()
    assert count_of_descriptors() == before
