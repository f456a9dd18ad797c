"""An agent that rotates, compresses and finishes what it writes is killed again and again: no acked line is missing."""

from __future__ import annotations

import gzip
import random
from typing import TYPE_CHECKING

import pytest

from swak import in_, out, running, task
from tests.flows.agent import Agent
from tests.flows.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

LINES = 4_000
KILLS = 6
RECIPE = """
task(
    in_.FileTailing("in.log"),
    out.File("out/{path}", format="raw", fsync="20ms", rotate_size="4k", compress="gzip"{suffix}),
)
"""


def stored(folder: Path) -> list[int]:
    """Return the numbers in all whole lines of all files, in no order."""
    found = []
    for path in folder.iterdir():
        if path.name.endswith((".tmp", ".torn")):
            continue  # not finished yet, or never acked
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        found += [int(line) for line in data.split(b"\n")[:-1]]
    return found


@pytest.mark.parametrize(("path", "suffix"), [("app.log", ""), ("%Y.log", ', suffix=".part"')])
def test_no_line_is_missing_whenever_it_is_killed(path: str, suffix: str, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.py"
    recipe.write_text(RECIPE.format(path=path, suffix=suffix))
    dice, source, folder = random.Random(7), tmp_path / "in.log", tmp_path / "out"
    sent = 0
    for turn in range(KILLS):
        agent = Agent(tmp_path, str(recipe))
        with source.open("a") as written:
            for number in range(sent, sent + LINES // KILLS):
                written.write(f"{number:09d}\n")
        sent += LINES // KILLS
        wanted = dice.randrange(sent)
        until(lambda wanted=wanted: folder.is_dir() and _reached(folder, wanted), lambda: agent.log)  # type: ignore[misc] # noqa: B023 - in this turn
        agent.kill()
        assert not agent.log.count("Traceback"), f"turn {turn}: {agent.log}"
    last = Agent(tmp_path, str(recipe), "--once")
    assert last.end() == 0, last.log
    found = stored(folder)
    assert set(found) == set(range(sent))
    assert len(found) - sent < KILLS * 2_000, "what was not settled yet is written again, and nothing else"
    left = [one.name for one in folder.iterdir() if not one.name.endswith((".gz", ".torn"))]
    assert left == [], "everything is finished at the end"


def _reached(folder: Path, wanted: int) -> bool:
    try:
        return wanted in stored(folder)
    except (FileNotFoundError, EOFError, gzip.BadGzipFile):  # it was just moved
        return False


def test_a_file_that_fell_quiet_is_finished_though_nothing_more_is_written(tmp_path: Path) -> None:
    (tmp_path / "in.log").write_text("a line\n")
    target = out.File(f"{tmp_path}/{{tag}}.log", format="raw", suffix=".part", fsync="10ms", close_after="0.1s")
    with running(task(in_.FileTailing(str(tmp_path / "in.log"), tag="app"), target)):
        until((tmp_path / "app.log").exists, "it has its last name")
    assert (tmp_path / "app.log").read_text() == "a line\n"
