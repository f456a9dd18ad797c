from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.house import ROOT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    reasons = ["needs node, which is not here", "only Windows has this"]
    tests = [f"def test_{at}(): pytest.skip({reason!r})\n" for at, reason in enumerate(reasons)]
    (tmp_path / "test_suite.py").write_text("import pytest\n" + "".join(tests), encoding="utf-8")
    return tmp_path


def run(suite: Path, no_skip: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", str(suite)]
    environ = {**os.environ, "SWAK_NO_SKIP": no_skip, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=suite, env=environ, capture_output=True, text=True, timeout=50, check=False)


def test_a_missing_server_fails_the_run_where_none_may_be_missing(suite: Path) -> None:
    done = run(suite, "1")
    assert done.returncode == 1
    assert "test_0: needs node, which is not here" in done.stdout
    assert "test_1: only Windows" not in done.stdout


def test_a_missing_server_skips_its_tests_elsewhere(suite: Path) -> None:
    assert run(suite, "").returncode == 0
