"""What the README shows is true."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from swak.topology.compile import compile_recipe
from swak.topology.load import load_text

README = Path(__file__).parent.parent / "README.md"
PYTHON = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
LINKS = re.findall(r"\]\(([^)#]+)\)", README.read_text("utf-8"))


def test_the_recipe_compiles() -> None:
    assert len(compile_recipe(load_text(PYTHON[0])).flows) == 1


def test_the_plugins_test_passes(tmp_path: Path) -> None:
    path = tmp_path / "test_shout.py"
    path.write_text(PYTHON[1], "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=50, cwd=tmp_path, check=False)
    assert "1 passed" in ended.stdout, ended.stdout + ended.stderr


def test_the_first_command_prints_the_same_receipt_twice(tmp_path: Path) -> None:
    recipe = README.parent / "recipes" / "nginx_demo.py"
    command = [sys.executable, "-m", "swak", "up", "--once", "--ephemeral", str(recipe)]
    runs = [
        subprocess.run(command, capture_output=True, text=True, timeout=50, cwd=tmp_path, check=True) for _ in range(2)
    ]
    receipts = [run.stderr[run.stderr.index("stage ") :] for run in runs]
    assert receipts[0] == receipts[1]
    assert "2500 delivered, 0 will replay, 0 lost" in receipts[0]


@pytest.mark.parametrize("link", LINKS)
def test_links_lead_somewhere(link: str) -> None:
    assert (README.parent / link).exists()
