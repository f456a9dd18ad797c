"""The command line."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from swak import __version__
from swak.cli import COMMANDS, swak

if TYPE_CHECKING:
    from pathlib import Path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(swak, list(arguments), prog_name="swak")


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_names_every_command(flag: str) -> None:
    result = run(flag)
    assert result.exit_code == 0
    assert all(f"  {name} " in result.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_of_its_own(name: str) -> None:
    result = run(name, "-h")
    assert (result.exit_code, result.stdout.startswith(f"Usage: swak {name} ")) == (0, True)


def test_help_imports_no_command_and_nothing_heavy() -> None:
    code = """
import sys
from swak.cli import swak
try:
    swak(["--help"])
finally:
    heavy = {"swak.commands", "swak.plugin", "swak.recipe", "pykka", "rich", "msgspec", "structlog"} & set(sys.modules)
    print(heavy, file=sys.stderr)
"""
    result = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert result.stderr == "set()\n"


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="counts the CPU time of a child by wait4")
def test_help_costs_at_most_four_and_a_half_times_what_bare_python_does_on_top() -> None:
    """That is 50 ms where bare Python takes 11: told by bare Python, since a loaded machine takes longer for both."""

    def cpu_s(*arguments: str) -> float:
        child = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        return usage.ru_utime + usage.ru_stime

    rounds = [(cpu_s("-c", "pass"), cpu_s("-m", "swak", "--help")) for _ in range(7)]
    over = [(whole - bare) / bare for bare, whole in rounds]
    assert min(over) <= 50 / 11, statistics.median(over)


def test_version_names_swak_python_and_platform() -> None:
    text = run("--version").stdout
    assert text.startswith(f"swak {__version__} (Python {platform.python_version()}, ")
    assert platform.system() in text


def test_a_mistyped_command_is_wrong_usage_with_what_was_meant() -> None:
    result = run("chek", "recipe.py")
    assert result.exit_code == 2
    assert 'there is no command "chek"; did you mean "check"?' in result.stderr


def test_an_unknown_option_is_wrong_usage() -> None:
    assert run("check", "--no-such").exit_code == 2


def test_the_package_can_be_run(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "swak", "check", str(tmp_path / "none.py")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 78
    assert "cannot read the recipe: No such file" in result.stderr
