"""File systems that tests mount and unmount, where that is permitted."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Literal

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Kind = Literal["bind", "loop", "tmpfs", "overlay"]


class Mount:
    """A place at which a file system comes and goes. All but a tmpfs keep what is in them."""

    def __init__(self, folder: Path, kind: Kind) -> None:
        """Make the place in `folder`, and beside it what is mounted; nothing is mounted yet."""
        self.place, self._aside = folder / "place", folder / "aside"
        for one in (self.place, self._aside):
            one.mkdir(parents=True)
        self._arguments = self._prepare(kind)
        self._there = False

    def mount(self) -> None:
        """Mount it. The test is skipped where that is not permitted."""
        command = ["mount", *self._arguments, str(self.place)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"mounting is not permitted here: {done.stderr.strip()}")
        self._there = True

    def unmount(self, *, lazily: bool = True) -> None:
        """Take it away, `lazily` although somebody holds files in it open."""
        subprocess.run(["umount", *(["-l"] if lazily else []), str(self.place)], check=True)
        self._there = False

    def close(self) -> None:
        """Leave nothing mounted, whatever happened."""
        if self._there:
            self.unmount()

    def _prepare(self, kind: Kind) -> list[str]:
        if kind == "bind":
            store = self._aside / "deeper" / "store"  # not where a renamed directory would be looked for
            store.mkdir(parents=True)
            return ["--bind", str(store)]
        if kind == "tmpfs":
            return ["-t", "tmpfs", "-o", "size=16m", "swak-test"]
        if kind == "overlay":
            layers = {name: self._aside / name for name in ("lowerdir", "upperdir", "workdir")}
            for layer in layers.values():
                layer.mkdir()
            return ["-t", "overlay", "-o", ",".join(f"{key}={path}" for key, path in layers.items()), "swak-test"]
        image = self._aside / "image"
        with image.open("wb") as file:
            file.truncate(16 * 1024 * 1024)
        done = subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return ["-o", "loop", str(image)]


@contextlib.contextmanager
def mounted(folder: Path, kind: Kind) -> Iterator[Mount]:
    """Mount it for as long as the block lasts. Skips the test where that cannot be."""
    if sys.platform != "linux" or (kind == "loop" and shutil.which("mkfs.ext4") is None):
        pytest.skip("there is no Linux here, or no mkfs.ext4")
    one = Mount(folder, kind)
    try:
        one.mount()
        yield one
    finally:
        one.close()
