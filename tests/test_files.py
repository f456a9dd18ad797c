from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from swak.errors import ConfigError
from swak.files import STEPS, Fault, Files, fault_of
from tests.house import ROOT

if TYPE_CHECKING:
    from pathlib import Path

DIES = """
import sys
from pathlib import Path
from swak.errors import ConfigError
from swak.files import Files
files, folder = Files("test"), Path(sys.argv[1])
descriptor = files.open(folder / "a", make=True)
for data in (b"onetwo", b"threefour"):
    files.append(descriptor, data)
    files.sync(descriptor)
files.cut(descriptor, 3)
files.rename(folder / "a", folder / "b")
files.sync_folder(folder)
files.unlink(folder / "b")
"""


def died(folder: Path, fault: str) -> dict[str, bytes]:
    environ = {**os.environ, "SWAK_FAULT": fault, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run([sys.executable, "-c", DIES, str(folder)], env=environ, timeout=50, check=False)
    assert ended.returncode == -9
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.skipif(sys.platform == "win32", reason="a kill is POSIX's")
@pytest.mark.parametrize(
    ("fault", "left"),
    [
        ("test.write:1", {"a": b""}),
        ("test.write:2", {"a": b"onetwo"}),
        ("test.half:1", {"a": b"one"}),
        ("test.sync:2", {"a": b"onetwothreefour"}),
        ("test.cut", {"a": b"onetwothreefour"}),
        ("test.rename:1", {"a": b"one"}),
        ("test.folder:1", {"b": b"one"}),
        ("test.unlink:1", {"b": b"one"}),
    ],
)
def test_the_process_stops_dead_where_it_was_asked_to(tmp_path: Path, fault: str, left: dict[str, bytes]) -> None:
    assert died(tmp_path, fault) == left


@pytest.mark.parametrize("text", ["spool", "spool.what:1", "spool.sync:x", "spool.sync:0", "spool.sync:-1", ":1"])
def test_a_fault_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="SWAK_FAULT"):
        fault_of(text)


def test_faults_are_read() -> None:
    assert fault_of("spool.sync:10") == Fault("spool.sync", 10)
    assert fault_of("spool.sync") == Fault("spool.sync", 1)
    assert fault_of("") is None
    assert {step for step in STEPS if fault_of(f"a.{step}") is None} == set()


def test_reads_are_whole_except_at_the_end(tmp_path: Path) -> None:
    files = Files("test")
    descriptor = files.open(tmp_path / "a", make=True)
    files.append(descriptor, b"x" * 100_000)
    assert len(files.read(descriptor, 70_000, 20_000)) == 70_000
    assert len(files.read(descriptor, 70_000, 90_000)) == 10_000
    files.close(descriptor)


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    files = Files("test")
    files.write_whole(tmp_path / "a", b"a longer one")
    files.write_whole(tmp_path / "a", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"new")]
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600


def test_a_locked_file_is_locked_for_everybody_else(tmp_path: Path) -> None:
    files = Files("test")
    first = files.lock(tmp_path / "lock")
    with pytest.raises(BlockingIOError):
        files.lock(tmp_path / "lock")
    files.close(first)
    files.close(files.lock(tmp_path / "lock"))


def test_a_file_that_was_moved_away_is_noticed(tmp_path: Path) -> None:
    files = Files("test")
    descriptor = files.open(tmp_path / "a", make=True)
    assert files.is_at(descriptor, tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / "b")
    assert not files.is_at(descriptor, tmp_path / "a")
    files.close(descriptor)
