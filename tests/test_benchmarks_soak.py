"""The soak and its parts: it runs, finds what is wrong, and draws what it saw."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest

from benchmarks.chart import Chart, Marks, Panel, Series
from benchmarks.children import Usage
from benchmarks.numbered import Log, Writer, lines
from benchmarks.sequence import RAW_LINE, Branch, Runs
from benchmarks.soak_report import Outcome, Plan, Sample, checks, draw
from tests.house import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.sequence import Verdict

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills and descriptors are POSIX's")

SVG = "{http://www.w3.org/2000/svg}"
LOG = "app"


def ran(*command: str) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", *command)
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True, start_new_session=True) as child:
        try:
            stdout, stderr = child.communicate(timeout=55)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)  # its agents with it
            raise
    return subprocess.CompletedProcess(command, child.returncode, stdout, stderr)


def test_a_short_soak_loses_nothing_and_draws_what_it_saw(tmp_path: Path) -> None:
    done = ran("benchmarks.soak", "--seconds", "12", "--kill-every", "4", "--rate", "1000", "--out", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "**missed**" not in done.stdout
    told = json.loads((tmp_path / "soak.json").read_text())
    assert len(told["kills_s"]) >= 2
    drawing = ET.parse(tmp_path / "soak.svg").getroot()
    assert drawing.tag == f"{SVG}svg"
    assert len(drawing.findall(f"{SVG}polyline")) >= 6


def test_a_dead_branch_of_a_moment_prints_every_row() -> None:
    done = ran("benchmarks.dead_branch", "--seconds", "1.5", "--rate", "2000")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("\n| ") == 7
    assert done.stdout.count("lost=0") == 3


def written(folder: Path, arrived: bytes, expected: int) -> Verdict:
    path = folder / "out"
    path.write_bytes(arrived)
    branch = Branch("out", [path], RAW_LINE)
    branch.read()
    return branch.judge({LOG: expected})


@pytest.mark.parametrize(
    ("parts", "wrong"),
    [
        ([range(10)], {}),
        ([range(5), range(6, 10)], {"lost": 1}),
        ([range(9)], {"lost": 1}),
        ([range(5), range(3, 10)], {"duplicates": 2}),
        ([range(5), range(7, 10), range(5, 7)], {"reordered": 2}),
        ([range(11)], {"unexpected": 1}),
    ],
)
def test_what_is_wrong_about_a_branch_is_named(parts: list[range], wrong: dict[str, int], tmp_path: Path) -> None:
    verdict = written(tmp_path, b"".join(lines(LOG, numbers) for numbers in parts), 10)
    found = {name: value for name, value in verdict._asdict().items() if value and name != "where"}
    assert found == wrong


def test_a_torn_line_is_noticed(tmp_path: Path) -> None:
    text = lines(LOG, range(10))
    assert written(tmp_path, text[: text.rindex(b"GET")] + b"\n", 9).torn == 1


def test_lines_of_a_source_that_nobody_wrote_are_unexpected(tmp_path: Path) -> None:
    verdict = written(tmp_path, lines(LOG, range(10)) + lines("other", range(3)), 10)
    assert verdict.unexpected == 3


def test_a_file_is_read_as_it_grows_up_to_its_last_whole_line(tmp_path: Path) -> None:
    path = tmp_path / "out"
    text = lines(LOG, range(10))
    branch = Branch("out", [path], RAW_LINE)
    branch.read()
    for end in range(0, len(text) + 1, 7):
        path.write_bytes(text[:end])
        branch.read()
    path.write_bytes(text)
    branch.read()
    assert (branch.arrived, branch.duplicates, branch.torn) == (10, 0, 0)


def test_runs_know_what_a_set_knows() -> None:
    rng = random.Random(0)
    runs, known = Runs(), set[int]()
    for _ in range(3_000):
        number = rng.randrange(500)
        assert runs.add(number) == (number not in known)
        known.add(number)
        assert (len(runs), runs.stop) == (len(known), max(known) + 1)
    assert {number for gap in runs.gaps(510) for number in gap} == set(range(510)) - known


@pytest.mark.parametrize("way", ["rename", "copytruncate"])
def test_a_rotated_log_holds_every_line_once(way: str, tmp_path: Path) -> None:
    log = Log(tmp_path / "app.log", way)  # type: ignore[arg-type]  # both are ways
    for _ in range(3):
        log.write(5)
        log.rotate()
    log.write(5)
    log.close()
    held = b"".join((tmp_path / name).read_bytes() for name in ("app.log.3", "app.log.2", "app.log.1", "app.log"))
    assert held == b"".join(lines("app", range(start, start + 5)) for start in (0, 5, 10, 15))


def test_a_write_that_fails_is_told_when_the_writer_stops(tmp_path: Path) -> None:
    log = Log(tmp_path / "app.log")
    log.close()
    writer = Writer([log], 1_000, 1)
    writer._thread.start()
    writer._thread.join(10)
    with pytest.raises(OSError, match="descriptor"):
        writer.stop()


def test_a_write_that_does_not_end_is_told_when_the_writer_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.numbered.STOP_S", 0.05)
    log = Log(tmp_path / "app.log")
    writer = Writer([log], 1_000, 1)
    with log._lock:
        writer._thread.start()
        with pytest.raises(TimeoutError, match="has not ended"):
            writer.stop()
    writer._thread.join(10)
    writer.stop()
    log.close()


def seen(rss_mb: float, growing_mb: float = 0.0, descriptors: tuple[int, ...] = (20,)) -> Outcome:
    """Return what a soak of 1,800 s would have seen, with a kill each minute."""
    samples = [
        Sample(
            at_s=float(at),
            life=at // 60,
            usage=Usage(rss_mb + growing_mb * at / 600, descriptors[at // 60 % len(descriptors)], 10, at % 60 / 10),
            spool_mb=1.0,
            written=4_000 * at,
            arrived={"file": 4_000 * at},
            lines={"file": 4_000 * at},
            down=0,
            own_mb=30.0,
        )
        for at in range(1_800)
    ]
    branch = Branch("file", [])
    return Outcome(
        plan=Plan(1_800.0, 60.0, 4_000, 1, "a machine"),
        samples=samples,
        kills=[60.0 * at for at in range(1, 30)],
        outages=[(100.0, 130.0)],
        rotations={"rename": 3},
        written=0,
        verdicts={"file": branch.judge({})},
        explained={"file": 0},
        drained_s=1.0,
        exit_code=0,
        audit=(0, "every event and every byte is accounted for\n"),
        told="",
    )


def judged(outcome: Outcome) -> dict[str, bool | None]:
    return {check.what.split()[0]: check.ok for check in checks(outcome)}


def test_a_long_run_that_stays_small_is_kept() -> None:
    assert all(judged(seen(50)).values())


def test_memory_that_grows_from_life_to_life_is_noticed() -> None:
    assert judged(seen(50, growing_mb=1.2))["RSS"] is False
    assert judged(seen(50, growing_mb=0.8))["RSS"] is True


def test_descriptors_that_add_up_are_noticed() -> None:
    assert judged(seen(50, descriptors=(20, 21, 22)))["descriptors"] is True
    assert judged(seen(50, descriptors=(20, 20, 20, 20, 23)))["descriptors"] is False


def test_a_short_run_is_not_judged_by_what_the_agent_uses() -> None:
    outcome = seen(50, growing_mb=50, descriptors=(20, 30))
    short = outcome._replace(plan=outcome.plan._replace(seconds=300.0))
    assert (judged(short)["RSS"], judged(short)["descriptors"]) == (None, None)


def test_an_audit_that_misses_something_is_noticed() -> None:
    outcome = seen(50)._replace(audit=(4, "NOT ACCOUNTED FOR: 3 bytes\n"))
    assert judged(outcome)["`swak"] is False


def test_the_drawing_has_a_line_for_each_series_and_each_kill() -> None:
    drawing = ET.fromstring(draw(seen(50)))
    assert len(drawing.findall(f"{SVG}polyline")) == 4
    dashed = [one for one in drawing.findall(f"{SVG}line") if one.get("stroke-dasharray")]
    assert len(dashed) == 1 + 3 * 29


def test_a_line_is_interrupted_where_nothing_was_seen() -> None:
    panel = Panel("a <title>", "MB", [Series("one", [(0.0, 1.0), (1.0, 2.0), (2.0, None), (3.0, 1.0), (4.0, 1.0)])])
    drawing = ET.fromstring(Chart("a & b", [panel], Marks("", [], "", []), 5.0).draw())
    assert len(drawing.findall(f"{SVG}polyline")) == 2
