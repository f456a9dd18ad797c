"""Figures and where they come from."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from typing import TYPE_CHECKING

from swak.bench import measure
from swak.bench.measure import cpu_s, environment, machine, python, spread

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_spread_is_the_median_with_the_least_and_the_most() -> None:
    assert str(spread([3.0, 1.0, 2.0])) == "2.00 [1.00..3.00]"


def test_a_module_of_the_folder_does_not_take_the_place_of_ours(tmp_path: Path) -> None:
    (tmp_path / "swak.py").write_text("raise SystemExit('the wrong one')\n", encoding="utf-8")
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong one')\n", encoding="utf-8")
    command = python("swak", "--help")
    done = subprocess.run(
        command, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_settings_of_swak_are_kept_from_children(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWAK_LOG", "debug")
    assert "SWAK_LOG" not in environment()


def test_a_swak_that_is_installed_is_found_without_help(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.setattr(measure, "HOME", sysconfig.get_path("purelib"))
    assert "PYTHONPATH" not in environment()


def test_the_cpu_time_of_a_process_that_runs_grows() -> None:
    before = cpu_s(os.getpid())
    sum(range(1_000_000))
    assert cpu_s(os.getpid()) > before


def test_the_machine_names_the_python() -> None:
    assert f"Python {sys.version.split()[0]}" in machine()
