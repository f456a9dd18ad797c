from __future__ import annotations

import errno
import gzip
import os
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest

from swak.sinks import append, rotation
from swak.sinks import compress as home
from swak.sinks.append import AppendFile
from swak.sinks.compress import Kind, Packer, Stopped, available, compress
from swak.sinks.guard import Guard
from tests.flows.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DATA = b"".join(b"line %d\n" % number for number in range(50_000))


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    path = tmp_path / "app.log"
    path.write_bytes(DATA)
    path.chmod(0o640)
    os.utime(path, (1_000, 2_000))
    return path


def test_a_compressed_file_takes_the_place_of_the_plain_one(plain: Path) -> None:
    made = plain.with_name(compress(str(plain), str(plain), "gzip").rpartition("/")[2])
    assert gzip.decompress(made.read_bytes()) == DATA
    assert list(plain.parent.iterdir()) == [made]
    assert made.name == "app.log.gz"
    assert made.stat().st_mode & 0o7777 == 0o640
    assert made.stat().st_mtime == 2_000


def test_zstd_where_there_is_one(plain: Path) -> None:
    if not available("zstd"):
        pytest.skip("no zstd here")
    made = compress(str(plain), str(plain), "zstd")
    with home._zstd().open(made, "rb") as packed:
        assert packed.read() == DATA


def test_what_exists_is_never_written_over(plain: Path) -> None:
    other = plain.with_name("app.log.gz")
    other.write_bytes(gzip.compress(b"other"))
    assert compress(str(plain), str(plain), "gzip").endswith("app.log.1.gz")
    assert gzip.decompress(other.read_bytes()) == b"other"


def test_a_twin_that_a_crash_left_is_enough(plain: Path) -> None:
    twin = plain.with_name("app.log.gz")
    twin.write_bytes(gzip.compress(DATA))
    os.utime(twin, (1_000, 2_000))
    compress(str(plain), str(plain), "gzip")
    assert [one.name for one in plain.parent.iterdir()] == ["app.log.gz"]


@pytest.mark.parametrize(
    "broken", [b"", b"no gzip", gzip.compress(DATA, mtime=0)[:-20], gzip.compress(DATA[:-1], mtime=0)]
)
def test_a_broken_twin_is_no_reason_to_remove_the_plain_file(plain: Path, broken: bytes) -> None:
    plain.with_name("app.log.gz").write_bytes(broken)
    made = compress(str(plain), str(plain), "gzip")
    assert made.endswith(".1.gz")
    assert gzip.decompress(plain.with_name("app.log.1.gz").read_bytes()) == DATA


def test_what_a_crash_left_of_an_earlier_try_is_no_part_of_the_next(plain: Path) -> None:
    victim = plain.with_name("victim")
    victim.write_bytes(b"keep")
    os.link(victim, f"{plain}.gz.tmp")
    compress(str(plain), str(plain), "gzip")
    assert victim.read_bytes() == b"keep"
    assert sorted(one.name for one in plain.parent.iterdir()) == ["app.log.gz", "victim"]


def test_stopping_in_between_leaves_the_plain_file_and_nothing_else(plain: Path) -> None:
    with pytest.raises(Stopped):
        compress(str(plain), str(plain), "gzip", lambda: True)
    assert list(plain.parent.iterdir()) == [plain]
    assert plain.read_bytes() == DATA


def test_a_full_disk_leaves_the_plain_file(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_source: Any, made: Any, *_: Any) -> None:
        made.write(b"half")
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(home, "_pour", full)
    with pytest.raises(OSError, match="no space"):
        compress(str(plain), str(plain), "gzip")
    assert list(plain.parent.iterdir()) == [plain]


def test_a_file_that_somebody_writes_waits(plain: Path) -> None:
    guard = Guard()
    writer = AppendFile(str(plain))
    writer.open(guard)
    with pytest.raises(BlockingIOError):
        compress(str(plain), str(plain), "gzip")
    writer.write(b"late\n")
    writer.close()
    guard.release()
    made = compress(str(plain), str(plain), "gzip")
    assert gzip.decompress(plain.with_name(made.rpartition("/")[2]).read_bytes()) == DATA + b"late\n"


def test_a_packer_works_in_the_background_and_ends(plain: Path) -> None:
    packer = Packer("gzip")
    packer.add(str(plain), str(plain))
    until(lambda: not plain.exists(), lambda: "the plain file is still there")
    packer.stop(20)
    packer.stop(20)
    assert not [thread for thread in threading.enumerate() if thread.name == "swak:compress"]


def test_a_packer_that_is_stopped_finishes_what_it_was_given(plain: Path) -> None:
    packer = Packer("gzip")
    packer.add(str(plain), str(plain))
    packer.add(str(plain) + ".gone", "x")
    packer.stop(20)
    assert not plain.exists()


def test_a_packer_looks_again_at_a_file_in_use(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home, "RETRY_S", 0.01)
    guard = Guard()
    writer = AppendFile(str(plain))
    writer.open(guard)
    packer = Packer("gzip")
    packer.add(str(plain), str(plain))
    writer.close()
    guard.release()
    until(lambda: not plain.exists(), lambda: "the plain file is still there")
    packer.stop(20)


@pytest.mark.parametrize(("kind", "there"), [("gzip", True)])
def test_gzip_is_always_there(kind: Kind, there: bool) -> None:
    assert available(kind) is there


class Killed(BaseException):
    """The process is dead: nothing that it still does has an effect."""


@contextmanager
def killed_at(step: int) -> Iterator[list[str]]:
    """Let the process die after so many of its steps; what it did is listed."""
    steps: list[str] = []

    def deadly(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def stepped(*args: Any, **options: Any) -> Any:
            if len(steps) > step:
                raise Killed
            steps.append(name)
            made = call(*args, **options)
            if len(steps) > step:
                raise Killed
            return made

        return stepped

    with (
        patch.object(home, "_pour", deadly("pour", home._pour)),
        patch("swak.sinks.compress.renamed", deadly("rename", rotation.renamed)),
        patch("swak.sinks.compress.sync_folder", deadly("sync", append.sync_folder)),
        patch.object(os, "utime", deadly("utime", os.utime)),
        patch("pathlib.Path.unlink", deadly("unlink", Path.unlink)),
        patch("pathlib.Path.chmod", deadly("chmod", Path.chmod)),
    ):
        yield steps


@pytest.mark.parametrize("step", range(7))
def test_killed_at_any_step_one_whole_file_is_left_and_the_next_try_ends_it(step: int, plain: Path) -> None:
    with killed_at(step) as steps, pytest.raises(Killed):
        compress(str(plain), str(plain), "gzip")
    assert len(steps) == step + 1
    packed = plain.with_name("app.log.gz")
    assert plain.exists() or gzip.decompress(packed.read_bytes()) == DATA
    if plain.exists():
        compress(str(plain), str(plain), "gzip")
    assert [one.name for one in plain.parent.iterdir()] == ["app.log.gz"]
    assert gzip.decompress(packed.read_bytes()) == DATA


def test_another_file_with_the_same_lines_is_no_twin(plain: Path) -> None:
    compress(str(plain), str(plain), "gzip")
    plain.write_bytes(DATA)
    assert compress(str(plain), str(plain), "gzip").endswith("app.log.1.gz")


def test_a_packer_tells_once_that_a_file_cannot_be_compressed_and_tries_again(
    plain: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tries: list[str] = []

    def full(path: str, *_: Any) -> str:
        tries.append(path)
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(home, "compress", full)
    monkeypatch.setattr(home, "RETRY_S", 0.01)
    monkeypatch.setattr(home, "FAILED_RETRY_S", 0.01)
    packer = Packer("gzip")
    packer.add(str(plain), str(plain))
    until(lambda: len(tries) > 3, lambda: str(tries))
    packer.stop(5)
    assert len([one for one in caplog.messages if "cannot be compressed; it is tried again" in one]) == 1
    assert plain.read_bytes() == DATA
