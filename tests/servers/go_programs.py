"""Peers in Go that are not ours, built from the folder `go_peers` once and kept in the user's cache."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers.receivers import Receiver

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCES = Path(__file__).parent / "go_peers"
BUILD_S = 150.0
"""How long a build may take: 20 s where nothing is cached, and longer on a busy machine."""
SEND_S = 50.0


@functools.cache
def program(name: str) -> Path:
    """Return the path of a program, built if need be. Skips the test where Go, or what it has to fetch, is missing."""
    go = shutil.which("go") or shutil.which("/usr/local/go/bin/go")
    if go is None:
        pytest.skip("needs Go (https://go.dev/dl)")
    version = subprocess.run([go, "version"], capture_output=True, check=True, timeout=30).stdout
    content = b"".join(path.read_bytes() for path in sorted((SOURCES / name).iterdir()))
    kept = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "swak-tests"
    target = kept / f"{name}-{hashlib.sha256(version + content).hexdigest()[:16]}"
    if not target.exists():
        kept.mkdir(parents=True, exist_ok=True)
        making = target.with_name(f"{target.name}.{os.getpid()}")
        command = [go, "build", "-trimpath", "-mod=readonly", "-o", str(making), "."]
        done = subprocess.run(command, cwd=SOURCES / name, capture_output=True, text=True, check=False, timeout=BUILD_S)
        if done.returncode != 0:
            pytest.skip(f"needs a build of {SOURCES / name}: {done.stderr.strip()[-500:]}")
        making.replace(target)
    return target


def sending(library: str = "forward_go", **options: Any) -> subprocess.Popen[str]:
    """Start a sender, "forward_go" or "logger_golang"; its options are at the top of `go_peers/LIBRARY/main.go`."""
    command = [str(program(library)), json.dumps(options)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def send_by_go(library: str = "forward_go", **options: Any) -> str:
    """Send, and return what went wrong, "" if nothing did."""
    with sending(library, **options) as process:
        _, told = process.communicate(timeout=SEND_S)
    return told or "it failed without a word" if process.returncode else ""


@contextmanager
def otel_receiver(folder: Path) -> Iterator[Receiver]:
    """The receiver of the OpenTelemetry collector, an independent implementation that stores before it acks."""
    receiver = Receiver([str(program("otel"))], folder / "otel.jsonl")
    receiver.start()
    try:
        yield receiver
    finally:
        receiver.kill()
