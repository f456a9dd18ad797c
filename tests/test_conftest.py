from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis.internal.conjecture import providers

from tests.conftest import CONSTANTS_HOOK, leave_constants_out
from tests.house import ROOT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    reasons = ["needs node, which is not here", "only Windows has this"]
    tests = [f"def test_{at}(): pytest.skip({reason!r})\n" for at, reason in enumerate(reasons)]
    (tmp_path / "test_suite.py").write_text("import pytest\n" + "".join(tests), encoding="utf-8")
    return tmp_path


DRAWING = """
import program
from hypothesis import given, settings, strategies as st

@settings(derandomize=True, database=None, max_examples=300)
@given(st.integers(0, 10**6))
def test_draws(number):
    print("drew", number)
"""


def run(suite: Path, no_skip: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", "-s", str(suite)]
    environ = {**os.environ, "SWAK_NO_SKIP": no_skip, "SWAK_LONG": "", "PYTHONPATH": f"{ROOT}:{suite}", **more}
    return subprocess.run(command, cwd=suite, env=environ, capture_output=True, text=True, timeout=50, check=False)


def test_a_missing_server_fails_the_run_where_none_may_be_missing(suite: Path) -> None:
    done = run(suite, "1")
    assert done.returncode == 1
    assert "test_0: needs node, which is not here" in done.stdout
    assert "test_1: only Windows" not in done.stdout


def test_a_missing_server_skips_its_tests_elsewhere(suite: Path) -> None:
    assert run(suite, "").returncode == 0


def draws(folder: Path, constant: int, **more: str) -> list[str]:
    """Return what a derandomized test draws in a program that has this constant."""
    (folder / "test_suite.py").write_text(DRAWING, encoding="utf-8")
    (folder / "program.py").write_text(f"LIMIT = {constant}\n", encoding="utf-8")
    done = run(folder, **more)
    assert done.returncode == 0, done.stdout + done.stderr
    return re.findall(r"drew \d+", done.stdout)


def test_derandomized_tests_draw_the_same_whatever_constants_the_program_has(tmp_path: Path) -> None:
    assert draws(tmp_path, 777_001) == draws(tmp_path, 123_457)


def test_constants_are_drawn_where_new_walks_are_wanted(tmp_path: Path) -> None:
    assert "drew 777001" in draws(tmp_path, 777_001, SWAK_LONG="1")


def test_a_hypothesis_that_collects_them_in_another_way_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(providers, CONSTANTS_HOOK)
    with pytest.raises(pytest.UsageError, match="mend leave_constants_out"):
        leave_constants_out()
