from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from swak import in_, out, running, task
from swak.background.naming import claim
from swak.background.places import socket_path, usable
from swak.cli import swak
from swak.commands.attach import is_whole, visible
from swak.control.server import Server
from swak.control.verbs import Agent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from click.testing import Result

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Unix sockets")


@pytest.fixture(autouse=True)
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SWAK_HOME", str(tmp_path))
    source = in_.Memory(["a"], follow=True)
    with running(task(source, out.Null(), name="t")) as run:
        owned = claim(usable(), "web")
        path = socket_path(usable().run, "web")
        server = Server(path, Agent(run, "web", "web.py", {"log": ""}).verbs(), time.monotonic)
        server.start()
        owned.describe({"socket": str(path), "recipe": "web.py"})
        yield
        server.close()
        owned.release()
        source.end()


def attach(*arguments: str, text: str | None = None) -> Result:
    return CliRunner().invoke(swak, ["attach", *arguments], input=text)


def test_code_is_run_and_its_outcome_is_the_exit_code() -> None:
    done = attach("-c", "print('x')\nlist(stages)")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "x\n['Memory', 'Null']\n", "")
    done = attach("web", "-c", "1 / 0")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.endswith("ZeroDivisionError: division by zero\n")
    done = attach("-c", "run.pid = 1")
    assert (done.exit_code, done.stderr.startswith("line 1: run.pid is not to be set")) == (1, True)


def test_standard_input_that_is_no_terminal_is_the_code() -> None:
    assert attach(text="for name in stages:\n    print(name)\n").stdout == "Memory\nNull\n"


def test_who_writes_gets_the_real_objects() -> None:
    assert attach("--write", "-c", "type(run).__name__").stdout == "'Run'\n"


def test_what_takes_too_long_is_told() -> None:
    done = attach("--limit", "0.05s", "-c", "while True: pass")
    assert (done.exit_code, done.stderr) == (1, "it ran longer than 0.05 s, and was ended\n")


def test_what_is_left_out_is_told() -> None:
    done = attach("-c", "for n in range(300): print('x' * 999)")
    assert done.stderr == "... 200000 characters more were left out\n"


def test_a_time_that_is_none_is_wrong_usage() -> None:
    assert attach("--for", "long", "-c", "1").exit_code == 2
    assert "wants a number from 0 to 86400" in attach("--for", "48h", "-c", "1").stderr


def test_without_an_agent_there_is_no_prompt() -> None:
    done = attach("nobody", "-c", "1")
    assert done.exit_code == 74


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("1", True),
        ("for x in y:", False),
        ("for x in y:\n    x\n", True),
        ("(1 +", False),
        ("1 +* 2", True),
        ("", True),
    ],
)
def test_an_input_goes_on_until_it_is_whole(text: str, whole: bool) -> None:
    assert is_whole(text) is whole


def test_a_terminal_is_not_steered_by_what_the_agent_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    assert visible("a\x1b[2Jb") == "a\x1b[2Jb"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert visible("a\x1b[2J\tb\r\né") == "a\\x1b[2J\tb\\r\né"
