"""Every recipe that is shown can be compiled, and those that need no server do what they say."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from swak.topology.compile import compile_recipe
from swak.topology.load import load_file
from tests.house import ROOT

if TYPE_CHECKING:
    from pathlib import Path

RECIPES = sorted((ROOT / "recipes").glob("*.py"))


def ran(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=environ(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def environ() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


def up(folder: Path, name: str) -> subprocess.CompletedProcess[str]:
    return ran(folder, "-m", "swak", "up", "--once", "--ephemeral", "--no-view", str(ROOT / "recipes" / name))


@pytest.mark.parametrize("path", RECIPES, ids=[path.name for path in RECIPES])
def test_the_recipe_compiles(path: Path) -> None:
    assert compile_recipe(load_file(path)).flows


@pytest.mark.parametrize("path", RECIPES, ids=[path.name for path in RECIPES])
def test_the_recipe_begins_with_what_it_is_for(path: Path) -> None:
    assert path.read_text(encoding="utf-8").startswith('"""')


def test_the_recipe_that_spells_in_is_no_python_otherwise() -> None:
    with pytest.raises(SyntaxError):
        compile((ROOT / "recipes" / "failover_fluentd.py").read_text(encoding="utf-8"), "recipe", "exec")


def test_the_demo_files_every_line_of_a_real_log_by_its_status(tmp_path: Path) -> None:
    done = up(tmp_path, "nginx_demo.py")
    assert (done.returncode, done.stdout) == (0, "")
    statuses = {path.stem: filed(path) for path in (tmp_path / "swak-demo").iterdir()}
    assert sum(map(len, statuses.values())) == 2_500
    assert set(statuses["missing"]) == {404}
    assert min(statuses["error"]) >= 500
    assert max(statuses["ok"]) < 500
    assert 404 not in statuses["ok"]


def filed(path: Path) -> list[int]:
    return [int(json.loads(line)["status"]) for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_demo_gives_the_same_receipt_each_time(tmp_path: Path) -> None:
    first, second = up(tmp_path, "nginx_demo.py"), up(tmp_path, "nginx_demo.py")
    assert "FileTailing: 2500 delivered, 0 will replay, 0 lost" in first.stderr
    assert receipt(first.stderr) == receipt(second.stderr)


def receipt(told: str) -> str:
    return told[told.index("stage ") :]


def test_what_is_read_again_stands_in_the_file_once(tmp_path: Path) -> None:
    path = tmp_path / "swak-once" / "access.jsonl"
    assert up(tmp_path, "exactly_once.py").returncode == 0
    lines = path.read_text(encoding="utf-8").splitlines()
    again = up(tmp_path, "exactly_once.py")
    assert (again.returncode, "not written again" in again.stderr) == (0, True)
    assert path.read_text(encoding="utf-8").splitlines() == lines
    assert len({json.loads(line)["id"] for line in lines}) == len(lines) == 2_500


def test_the_custom_plugin_masks_mail_addresses(tmp_path: Path) -> None:
    done = up(tmp_path, "custom_plugin.py")
    assert done.returncode == 0
    assert done.stdout.count("***@example") == 5


def test_parsing_shapes_what_it_shows_and_keeps_what_does_not_parse(tmp_path: Path) -> None:
    done = up(tmp_path, "parsing.py")
    assert done.stdout.splitlines() == [
        "2026-11-21T18:00:00.000+09:00 app.info started in 41 ms took=41 where=memory/",
        '2026-11-21T18:00:02.000+09:00 app.error no such "page" took=7 where=memory/missing',
    ]
    assert "dead 1: Logfmt: no pair" in done.stderr
    assert done.stderr.endswith("clean\n")


def test_the_program_with_swak_inside_prints_its_result(tmp_path: Path) -> None:
    done = ran(tmp_path, str(ROOT / "recipes" / "embedded.py"))
    assert (done.returncode, done.stdout.strip()) == (0, "{'INFO': 2, 'WARNING': 4}")


@pytest.mark.skipif(sys.platform == "win32", reason="a signal to one process is POSIX's")
def test_the_daemon_prints_requests_until_it_is_told_to_stop(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_bytes((ROOT / "recipes" / "data" / "access.log").read_bytes()[:2_000].rpartition(b"\n")[0] + b"\n")
    command = [sys.executable, str(ROOT / "recipes" / "ldaemon.py"), str(log)]
    with subprocess.Popen(command, cwd=tmp_path, env=environ(), stdout=subprocess.PIPE, text=True) as daemon:
        try:
            assert daemon.stdout is not None
            shown = [daemon.stdout.readline() for _ in range(log.read_bytes().count(b"\n"))]
            daemon.send_signal(signal.SIGTERM)
            assert daemon.wait(30) == 0
            assert daemon.stdout.read() == ""
        finally:
            daemon.kill()
    assert all("remote_addr" in line for line in shown)
