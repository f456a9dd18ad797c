"""`swak graph`."""

from __future__ import annotations

import subprocess
import sys

import pytest
from click.testing import CliRunner

from swak.cli import swak

TEXT = "class Numbers(Input): ...\nclass Keep(Output): ...\nin.Numbers() | [out.Keep(), out.Keep()]"


@pytest.mark.parametrize(
    ("shape", "begins"),
    [("text", "task-1 (task)\n  Numbers\n  ├─ Keep\n"), ("mermaid", "flowchart"), ("dot", "digraph")],
)
def test_a_recipe_is_drawn_in_each_format(shape: str, begins: str) -> None:
    result = CliRunner().invoke(swak, ["graph", "-e", TEXT, "--format", shape])
    assert result.exit_code == 0
    assert result.stdout.startswith(begins)


def test_text_is_what_is_drawn_unless_another_format_is_asked_for() -> None:
    assert CliRunner().invoke(swak, ["graph", "-e", TEXT]).stdout.startswith("task-1 (task)")


def test_a_terminal_without_line_drawing_characters_gets_plain_ones() -> None:
    command = [sys.executable, "-X", "utf8=0", "-m", "swak", "graph", "-e", TEXT]
    environment = {"PYTHONIOENCODING": "ascii", "PATH": ""}
    result = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert "|- Keep" in result.stdout


def test_a_bad_recipe_is_not_drawn() -> None:
    result = CliRunner().invoke(swak, ["graph", "-e", "task()"])
    assert (result.exit_code, result.stdout) == (78, "")
    assert "task has no stages" in result.stderr
