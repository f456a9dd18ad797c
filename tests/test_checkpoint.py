from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swak.checkpoint import Checkpoint
from swak.errors import StateError

OLD: dict[str, dict[str, Any]] = {"FileTailing /var/log/a.log": {"dev1 ino2": {"at": 10}}}
NEW: dict[str, dict[str, Any]] = {"FileTailing /var/log/a.log": {"dev1 ino2": {"at": 20}}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "web.json"


def two_generations(path: Path) -> None:
    checkpoint = Checkpoint(path)
    checkpoint.save(OLD)
    checkpoint.save(NEW)


def test_what_was_saved_is_loaded(path: Path) -> None:
    Checkpoint(path).save(NEW)
    assert Checkpoint(path).load() == NEW


def test_a_flow_that_never_ran_has_no_positions(path: Path) -> None:
    assert Checkpoint(path).load() == {}


def test_names_of_undecodable_files_come_back_as_they_were(path: Path) -> None:
    positions = {"FileTailing": {"caf\udce9 \ud800 한글": 7}}
    Checkpoint(path).save(positions)
    assert Checkpoint(path).load() == positions


def test_the_generation_before_is_kept(path: Path) -> None:
    two_generations(path)
    assert Checkpoint(path.with_name("web.json.prev")).load() == OLD


@pytest.mark.parametrize("torn", range(0, 60, 7))
def test_a_torn_file_gives_way_to_the_generation_before(path: Path, torn: int) -> None:
    two_generations(path)
    path.write_bytes(path.read_bytes()[:torn])
    assert Checkpoint(path).load() == OLD


def test_no_flip_of_a_byte_and_no_truncation_costs_more_than_a_generation(path: Path) -> None:
    two_generations(path)
    new, old = path.read_bytes(), path.with_name("web.json.prev").read_bytes()
    damaged = [new[:at] for at in range(len(new))]
    damaged += [new[:at] + bytes([new[at] ^ bit]) + new[at + 1 :] for at in range(len(new)) for bit in (1, 0x20, 0x80)]
    for data in damaged:
        path.write_bytes(data)
        path.with_name("web.json.prev").write_bytes(old)
        assert Checkpoint(path).load() == OLD


def test_falling_back_is_told(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    two_generations(path)
    path.write_bytes(b"")
    Checkpoint(path).load()
    assert "previous generation is used" in caplog.text
    assert str(path) in caplog.text


def test_what_is_corrupt_is_kept_aside(path: Path) -> None:
    two_generations(path)
    path.write_bytes(b"garbage")
    Checkpoint(path).load()
    assert [one.read_bytes() for one in path.parent.glob("web.json.bad-*")] == [b"garbage"]


def test_a_save_after_a_fall_back_never_gives_up_the_whole_generation(path: Path) -> None:
    two_generations(path)
    path.write_bytes(b"garbage")
    checkpoint = Checkpoint(path)
    checkpoint.load()
    checkpoint.save(NEW)
    assert Checkpoint(path.with_name("web.json.prev")).load() == OLD


def test_a_save_without_a_load_never_gives_up_the_whole_generation(path: Path) -> None:
    two_generations(path)
    path.write_bytes(b"garbage")
    Checkpoint(path).save(NEW)
    assert Checkpoint(path.with_name("web.json.prev")).load() == OLD


def test_two_corrupt_generations_stop_the_start_again_and_again(path: Path) -> None:
    two_generations(path)
    path.write_bytes(b"x")
    path.with_name("web.json.prev").write_bytes(b"y")
    for _ in range(2):
        with pytest.raises(StateError, match=r"corrupt.*web\.json .*web\.json\.prev .*; put a copy back, or remove"):
            Checkpoint(path).load()


def test_a_corrupt_first_generation_stops_the_start(path: Path) -> None:
    path.write_bytes(b"x")
    with pytest.raises(StateError, match="corrupt"):
        Checkpoint(path).load()


def test_a_newer_format_is_refused_and_left_alone(path: Path) -> None:
    two_generations(path)
    body = b'{"format":2,"positions":{}}'
    written = body + b"\ncrc32 %08x\n" % zlib.crc32(body)
    path.write_bytes(written)
    with pytest.raises(StateError, match="format 2; start the swak that wrote it"):
        Checkpoint(path).load()
    assert path.read_bytes() == written


def test_a_directory_in_the_place_of_the_file_is_told(path: Path) -> None:
    path.mkdir()
    with pytest.raises(StateError, match=r"web\.json: cannot be read"):
        Checkpoint(path).load()


def test_what_is_no_json_value_is_refused_before_a_file_is_touched(path: Path) -> None:
    Checkpoint(path).save(OLD)
    with pytest.raises(TypeError):
        Checkpoint(path).save({"input": {"source": object()}})
    assert Checkpoint(path).load() == OLD
    assert [one.name for one in path.parent.iterdir()] == ["web.json"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the device that is always full is Linux's")
def test_a_full_disk_leaves_the_old_generation_and_no_leftover(path: Path) -> None:
    checkpoint = Checkpoint(path)
    checkpoint.save(OLD)
    path.with_name("web.json.tmp").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        checkpoint.save(NEW)
    assert [one.name for one in path.parent.iterdir()] == ["web.json"]
    assert Checkpoint(path).load() == OLD


def test_a_save_after_a_full_disk_succeeds(path: Path) -> None:
    checkpoint = Checkpoint(path)
    checkpoint.save(OLD)
    path.with_name("web.json.tmp").mkdir()
    with pytest.raises(OSError, match="directory"):
        checkpoint.save(NEW)
    path.with_name("web.json.tmp").rmdir()
    checkpoint.save(NEW)
    assert Checkpoint(path).load() == NEW


KILLED_AT_A_STEP = """
import os, sys
from pathlib import Path
from swak.checkpoint import Checkpoint

steps = int(sys.argv[2])
def dying(real, after):
    def call(*args, **kwargs):
        global steps
        steps -= 1
        if steps == 0 and not after:
            os._exit(9)
        result = real(*args, **kwargs)
        if steps == 0:
            os._exit(9)
        return result
    return call

checkpoint = Checkpoint(Path(sys.argv[1]))
checkpoint.load()
for name in ("open", "write", "fdatasync", "fsync", "replace", "rename"):
    setattr(os, name, dying(getattr(os, name), sys.argv[3] == "after"))
checkpoint.save({"FileTailing /var/log/a.log": {"dev1 ino2": {"at": 20}}})
"""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", range(1, 8))
def test_a_kill_at_any_step_of_a_save_leaves_a_whole_generation(path: Path, step: int, when: str) -> None:
    Checkpoint(path).save(OLD)
    died = subprocess.run([sys.executable, "-c", KILLED_AT_A_STEP, path, str(step), when], check=False, timeout=30)
    assert died.returncode == (9 if step <= 7 else 0)  # open, write, fsync, two renames, open and fsync the directory
    loaded = Checkpoint(path).load()
    assert loaded in (OLD, NEW)
    Checkpoint(path).save(NEW)
    assert Checkpoint(path).load() == NEW


def sealed(value: object) -> bytes:
    body = json.dumps(value).encode()
    return body + b"\ncrc32 %08x\n" % zlib.crc32(body)


anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner)
)
WHOLE = {"a": {"b": 1}}


def sealed_whole() -> bytes:
    return sealed({"format": 1, "positions": WHOLE})


contents = st.none() | st.binary() | anything.map(sealed) | st.just(sealed_whole())


@given(current=contents, previous=contents)
def test_whatever_the_files_hold_it_is_loaded_or_refused(current: bytes | None, previous: bytes | None) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "web.json"
        for generation, held in ((path, current), (path.with_name("web.json.prev"), previous)):
            if held is not None:
                generation.write_bytes(held)
        loaded: dict[str, Any] | None = None
        with contextlib.suppress(StateError):
            loaded = Checkpoint(path).load()
        nothing_there = (current, previous) == (None, None)
        assert loaded == ({} if nothing_there else WHOLE if sealed_whole() in (current, previous) else None)


def test_nesting_without_end_is_corrupt_not_a_crash(path: Path) -> None:
    body = b"[" * 100_000
    path.write_bytes(body + b"\ncrc32 %08x\n" % zlib.crc32(body))
    with pytest.raises(StateError, match="corrupt"):
        Checkpoint(path).load()
