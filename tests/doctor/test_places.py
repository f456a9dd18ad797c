from __future__ import annotations

import json
import os
import shutil
import time
from collections import namedtuple
from typing import TYPE_CHECKING

import psutil
import pytest

from swak.datadir import DataDir, Owner
from swak.doctor.places import data_directory, file_system, home, kind_of, room, writable
from swak.homes import choose

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


def test_the_home_is_told_with_what_decided_on_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWAK_HOME", str(tmp_path))
    (one,) = home()
    assert (
        one.what
        == f"{tmp_path}: data in {tmp_path}/data, sockets in {tmp_path}/run, logs in {tmp_path}/logs (SWAK_HOME is set)"
    )
    monkeypatch.delenv("SWAK_HOME")
    assert "SWAK_HOME is not set" in next(home()).what


def test_a_recipe_has_a_directory_of_its_name_and_an_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWAK_HOME", str(tmp_path))
    monkeypatch.delenv("SWAK_DATA_DIR", raising=False)
    owner = Owner("web", str(tmp_path / "web.py"))
    found = {one.subject: one for one in data_directory(None, owner)}
    assert found["path"].what.startswith(f"{tmp_path}/data/web (")
    assert found["agent id"].level == "note"
    data_dir = choose(owner, [])
    data_dir.lock()
    data_dir.close()
    assert {one.subject: one for one in data_directory(None, owner)}["agent id"].what == data_dir.agent_id
    assert {one.subject: one for one in data_directory(None)}["agents"].what.startswith("web: ")


def test_another_recipe_of_that_file_name_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWAK_HOME", str(tmp_path))
    monkeypatch.delenv("SWAK_DATA_DIR", raising=False)
    (tmp_path / "web.py").write_text("")
    data_dir = choose(Owner("web", str(tmp_path / "web.py")), [])
    data_dir.lock()
    data_dir.close()
    found = {one.subject: one for one in data_directory(None, Owner("web", "/elsewhere/web.py"))}
    assert found["owner"].level == "failed"
