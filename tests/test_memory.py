"""Memory settings."""

from __future__ import annotations

import platform
import subprocess
import sys


def test_glibc_takes_the_setting() -> None:
    code = "from swak.memory import keep_freed_memory; print(keep_freed_memory())"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert told.stdout.strip() == str(platform.libc_ver()[0] == "glibc")


def test_the_collector_looks_less_often_and_still_finds_cycles() -> None:
    code = """
import gc, weakref
from swak.memory import tune
class Node: pass
tune()
node = Node(); node.me = node; seen = weakref.ref(node); del node
for _ in range(200_000): [].append([])
made = [[] for _ in range(200_000)]
print(seen() is None, gc.get_threshold()[0] > 700)
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert told.stdout.strip() == "True True"
