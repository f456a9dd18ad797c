"""The allocator's setting."""

from __future__ import annotations

import platform
import subprocess
import sys


def test_glibc_takes_the_setting() -> None:
    code = "from swak.memory import keep_freed_memory; print(keep_freed_memory())"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert told.stdout.strip() == str(platform.libc_ver()[0] == "glibc")
