from __future__ import annotations

import json
import os
import shutil
import time
from collections import namedtuple
from typing import TYPE_CHECKING

import psutil
import pytest

from swak.datadir import DataDir
from swak.doctor.places import data_directory, file_system, kind_of, room, writable

if TYPE_CHECKING:
    from pathlib import Path

Partition = namedtuple("Partition", "device mountpoint fstype opts")  # noqa: PYI024 - as psutil's own
Usage = namedtuple("Usage", "total used free")  # noqa: PYI024 - as shutil's own


def test_a_directory_that_would_be_made_is_not_made(tmp_path: Path) -> None:
    found = {one.subject: one for one in data_directory(str(tmp_path / "a" / "b"))}
    assert found[str(tmp_path / "a" / "b")].what == "can be written to (it would be made)"
    assert found["lock"].what == "nobody uses it"
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_is_used_names_the_process(tmp_path: Path) -> None:
    data_dir = DataDir.resolve(str(tmp_path))
    data_dir.lock()
    ledger = data_dir.ledger()
    assert ledger is not None
    ledger.begin(os.getpid(), {})
    ledger.save()
    try:
        found = {one.subject: one for one in data_directory(str(tmp_path))}
    finally:
        data_dir.close()
    assert found["lock"].what == f"process {os.getpid()} uses it"


def test_a_ledger_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "ledger.json").write_text(json.dumps({"torn": time.time()}))
    found = {one.subject: one for one in data_directory(str(tmp_path))}
    assert found["ledger"].level == "warning"


def test_a_file_in_the_place_of_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert writable("x", tmp_path / "file" / "data", "mend").level == "failed"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_the_right_to_write_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert writable("x", tmp_path / "data", "mend").level == "failed"


@pytest.mark.parametrize(("free", "level"), [(1 << 40, "ok"), (100 << 20, "warning"), (1 << 20, "failed")])
def test_little_room_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, level: str) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(1 << 41, 0, free))
    assert room("x", tmp_path).level == level


@pytest.mark.parametrize(("kind", "level"), [("ext4", "ok"), ("nfs4", "warning"), ("tmpfs", "warning")])
def test_a_file_system_that_forgets_or_is_far_away_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, level: str
) -> None:
    mounts = [Partition("a", "/", "ext4", ""), Partition("b", str(tmp_path.resolve()), kind, "")]
    monkeypatch.setattr(psutil, "disk_partitions", lambda **_all: mounts)
    assert kind_of(tmp_path) == kind
    assert file_system("x", tmp_path).level == level
