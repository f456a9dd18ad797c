"""What the commands that read a recipe have in common."""

from __future__ import annotations

import subprocess
import sys
import threading

import click
import pytest

from swak.commands.given import TEXT, bounded, columns, load


def test_a_recipe_comes_from_a_file_or_from_the_command_line() -> None:
    text = "class Numbers(Input): ...\nin.Numbers() | out.Null()"
    assert load(None, text, 30).file == TEXT


@pytest.mark.parametrize(("path", "text"), [(None, None), ("a.py", "b")])
def test_neither_and_both_are_wrong_usage(path: str | None, text: str | None) -> None:
    with pytest.raises(click.UsageError):
        load(path, text, 30)


def test_no_watch_goes_on_after_the_body() -> None:
    before = set(threading.enumerate())
    with bounded(60, "web.py"):
        (watch,) = set(threading.enumerate()) - before
    assert not watch.is_alive()


def test_a_body_that_lets_no_thread_run_is_ended_by_the_interpreter() -> None:
    code = """
from swak.commands import given
given.STUCK_S = 0.5
with given.bounded(0.5, "web.py"):
    10 ** 10 ** 10
"""
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert result.returncode == 1
    assert "Timeout" in result.stderr


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert columns([("a", "b"), ("long", "c")]) == "  a     b\n  long  c"
