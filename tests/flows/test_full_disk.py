"""An output whose disk is full waits, says so once, leaves no torn line, and goes on by itself."""

from __future__ import annotations

import gzip
import signal
from typing import TYPE_CHECKING

import pytest

from tests.flows.agent import Agent
from tests.flows.mounts import mounted
from tests.flows.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

LINES = 20_000
FREE_BYTES = 300_000
RECIPE = """
task(
    in_.FileTailing("in.log"),
    out.File("{folder}/app.log", format="raw", fsync="20ms"{options}),
)
"""


def fill(folder: Path) -> Path:
    """Leave so much of the disk free."""
    ballast = folder / "ballast"
    with ballast.open("wb") as written:
        written.write(bytes(16 * 1024 * 1024 - FREE_BYTES))
    return ballast


def stored(folder: Path) -> list[int]:
    """Return the numbers in all files, each of which holds whole lines only."""
    found = []
    for path in folder.glob("app.log*"):
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        assert not data or data.endswith(b"\n"), path.name
        found += [int(line) for line in data.split(b"\n")[:-1]]
    return found


@pytest.mark.parametrize("options", ["", ', rotate_size="100k", compress="gzip", suffix=".part"'])
def test_it_waits_and_goes_on_when_there_is_room(options: str, tmp_path: Path) -> None:
    with mounted(tmp_path, "tmpfs") as disk:
        ballast = fill(disk.place)
        (tmp_path / "recipe.py").write_text(RECIPE.format(folder=disk.place, options=options))
        with (tmp_path / "in.log").open("w") as written:
            written.writelines(f"{number:060d}\n" for number in range(LINES))
        agent = Agent(tmp_path, str(tmp_path / "recipe.py"))
        agent.wait_until_told("the disk is full")
        ballast.unlink()
        agent.wait_until_told("output is back")
        until(lambda: len(stored_or_none(disk.place)) == LINES, lambda: agent.log)
        assert agent.end(signal.SIGINT) == 0, agent.log
        assert sorted(stored(disk.place)) == list(range(LINES))
        assert agent.log.count("output is down") == 1, agent.log
        assert not list(disk.place.glob("*.part")) + list(disk.place.glob("*.torn")) + list(disk.place.glob("*.tmp"))


def stored_or_none(folder: Path) -> list[int]:
    try:
        return stored(folder)
    except (FileNotFoundError, AssertionError, EOFError, ValueError, gzip.BadGzipFile):  # it is being written or moved
        return []
