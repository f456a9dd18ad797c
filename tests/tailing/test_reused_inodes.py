"""Files that are deleted and made again at once, as often with the inode of the one before: each is a new file."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from swak.tailing.identity import identify
from tests.flows.mounts import mounted
from tests.tailing.tails import Tail, append

if TYPE_CHECKING:
    from collections.abc import Iterator

FILES = 200
SAME = b"every file holds the same\n"


@pytest.fixture(params=["disk", "tmpfs", "overlay"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A path on that kind of file system."""
    if request.param == "overlay":
        with mounted(tmp_path, "overlay") as overlay:
            yield overlay.place / "app.log"
    elif request.param == "disk":
        yield tmp_path / "app.log"
    elif not Path("/dev/shm").is_dir():
        pytest.skip("there is no /dev/shm here")
    else:
        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
            yield Path(folder) / "app.log"


def test_every_file_has_an_identity_of_its_own(path: Path) -> None:
    identities = set()
    for _ in range(FILES):
        fd = os.open(path, os.O_RDONLY | os.O_CREAT, 0o644)
        identities.add(identify(fd))
        os.close(fd)
        path.unlink()
    assert len(identities) == FILES


def test_every_file_is_read_whole_when_the_one_before_was_read_in_a_run_before(path: Path) -> None:
    positions: dict[str, Any] = {}
    for number in range(FILES):
        append(path, SAME)
        with Tail(path, positions) as tail:
            assert tail.pass_time(1.5) == SAME, number
            positions = {source: tail.positions[source] for source, _ in tail.handed}
        path.unlink()


def test_every_file_is_read_whole_while_they_come_and_go(path: Path) -> None:
    with Tail(path) as tail:
        for number in range(FILES):
            append(path, SAME)
            assert tail.pass_time(1.5) == SAME, number
            path.unlink()
        assert len(dict(tail.handed)) == FILES


def test_every_file_is_read_whole_when_the_names_are_looked_at_between_delete_and_create(path: Path) -> None:
    with Tail(path) as tail:
        for number in range(FILES):
            append(path, SAME)
            assert tail.pass_time(1.5) == SAME, number
            path.unlink()
            tail.pass_time(0.5)
        assert len(dict(tail.handed)) == FILES
