"""`swak check`."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from swak.cli import swak
from swak.commands.check import check

if TYPE_CHECKING:
    from pathlib import Path

PLUGINS = "class Numbers(Input): ...\nclass Upper(Filter): ...\nclass Keep(Output): ...\n"

OPEN = "Numbers: the flow ends in an input, its events go nowhere; end it with an output, e.g. out.Stdout()"

EXPECTED = """\
  - While Keep is down or slow, Numbers waits.
  - Numbers cannot read again: what it has read and Keep has not delivered is lost when swak is killed; \
out.DiskBuffer(...) right behind it leaves only what is not yet synced there.
"""

SEED = """\
task(
    in.MySQLTailing("127.0.0.1", 'logdb'),
    out.SizedBuffer(100),
    out.Exec(
        "/usr/bin/r detect.r",
    )
    out.Stdout()
)
"""


def run(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(swak, ["check", *arguments], input=stdin)


def test_a_right_recipe_is_told_so(tmp_path: Path) -> None:
    file = tmp_path / "web.py"
    file.write_text(PLUGINS + "task(in.Numbers(), out.Upper(), out.Keep())")
    result = run(str(file))
    assert (result.exit_code, result.stdout.splitlines()[0], result.stderr) == (0, "Configuration OK", "")


def test_what_to_expect_of_each_flow_is_told_below(tmp_path: Path) -> None:
    file = tmp_path / "web.py"
    file.write_text(PLUGINS + "task(in.Numbers(), out.Keep())\ntask(in.Numbers(), out.Keep(), name='other')")
    assert run(str(file)).stdout == f"Configuration OK\n\nweb-1:\n{EXPECTED}\nother:\n{EXPECTED}"


def test_a_text_and_standard_input_are_checked_like_a_file() -> None:
    text = PLUGINS + "in.Numbers() | out.Keep()"
    first, second = run("-e", text).stdout, run("-", stdin=text).stdout
    assert first == second
    assert first.startswith("Configuration OK\n\ntask-1:\n")


def test_warnings_go_to_standard_error() -> None:
    result = run("-e", PLUGINS + "task(in.Numbers(), [out.Keep(), out.Keep()])")
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "Configuration OK")
    assert result.stderr.startswith("warning: <-e>:4  a full branch stops the others: Keep, Keep-2")


def test_every_problem_is_told_with_file_line_and_mend(tmp_path: Path) -> None:
    file = tmp_path / "web.py"
    file.write_text(PLUGINS + "task(in_.Numbers(x=1), out.Kep())\ntask(in_.Numbers())\n")
    result = run(str(file))
    assert (result.exit_code, result.stdout) == (78, "")
    assert result.stderr.splitlines() == [
        f'{file}:4  Numbers: unknown option "x"; there is none',
        f'{file}:4  out.Kep: there is no such plugin; did you mean "Keep"?',
        f"{file}:5  {OPEN}",
    ]


def test_the_seeds_recipe_without_its_comma_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "detect.py"
    file.write_text(SEED)
    result = run(str(file))
    assert result.exit_code == 78
    assert result.stderr.startswith(f"{file}:6  a comma is missing; add a comma at the end of line 6")


@pytest.mark.parametrize("arguments", [(), ("a.py", "-e", "x"), ("-e", "x", "--timeout", "5x")])
def test_wrong_usage_ends_with_2(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2


@pytest.mark.parametrize(
    "loop",
    [
        "while True:\n  pass",
        "import time\ntime.sleep(3600)",
        "while True:\n  try:\n    while True: pass\n  except: pass",
        "import threading\nthreading.Event().wait()",
    ],
)
def test_a_recipe_that_never_ends_is_given_up(tmp_path: Path, loop: str) -> None:
    file = tmp_path / "web.py"
    file.write_text(f"print('still here', flush=True)\n{loop}\n")
    command = [sys.executable, "-m", "swak", "check", "--timeout", "1s", str(file)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert (result.returncode, result.stdout) == (78, "still here\n")
    assert "the recipe has not been loaded after 1 s" in result.stderr
    assert result.stderr.startswith(f"{file}:")


def test_checking_touches_no_socket_and_no_state(tmp_path: Path) -> None:
    code = """
import os, socket, sys
def forbidden(*_): raise AssertionError("touched")
socket.socket = forbidden
from swak.cli import swak
before = sorted(os.listdir("."))
try:
    swak(["check", "-e", "task(in_.FileTailing('x.log'), failover(out.Fluentd('10.0.0.1'), last=out.File('y')))"])
except SystemExit as end:
    assert end.code == 0, end.code
assert sorted(os.listdir(".")) == before
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


def test_the_time_limit_is_shown_in_help() -> None:
    assert "30s" in CliRunner().invoke(check, ["--help"]).stdout
