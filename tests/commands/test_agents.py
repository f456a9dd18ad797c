from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from swak.background.naming import claim
from swak.background.places import usable
from swak.cli import swak
from swak.commands.given import EXIT_STATE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SWAK_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def web() -> Iterator[None]:
    """An agent that has a name, and nothing else."""
    owned = claim(usable(), "web")
    owned.describe({"recipe": "/etc/web.py", "background": False, "environ": {"SWAK_SECRET": "x"}})
    yield
    owned.release()


@pytest.mark.parametrize("command", ["status", "stop", "restart", "logs", "top", "flush", "stacks"])
def test_where_nobody_runs_every_command_says_how_to_start_one(command: str) -> None:
    done = CliRunner().invoke(swak, [command])
    assert done.exit_code == EXIT_STATE
    assert done.stderr == "Error: no agent runs; start one with: swak up -d RECIPE\n"


@pytest.mark.usefixtures("web")
def test_ps_lists_who_runs_and_keeps_the_environment_to_itself() -> None:
    shown = json.loads(CliRunner().invoke(swak, ["ps", "--json"]).stdout)
    assert [(one["name"], one["pid"], one["recipe"]) for one in shown] == [("web", os.getpid(), "/etc/web.py")]
    assert "environ" not in shown[0]
    table = CliRunner().invoke(swak, ["ps"]).stdout.splitlines()
    assert table[0].split() == ["name", "pid", "up", "where", "recipe"]
    assert table[1].split()[-2:] == ["foreground", "/etc/web.py"]


@pytest.mark.usefixtures("web")
def test_an_agent_that_does_not_listen_is_named() -> None:
    done = CliRunner().invoke(swak, ["status"])
    assert done.exit_code == 1
    assert f'"web" (process {os.getpid()}) has no control socket' in done.stderr


@pytest.mark.usefixtures("web")
def test_a_name_that_is_mistyped_gets_a_suggestion() -> None:
    assert 'did you mean "web"' in CliRunner().invoke(swak, ["status", "wbe"]).stderr


def test_the_log_of_an_agent_that_has_ended_is_shown(home: Path) -> None:
    usable()
    (home / "logs" / "web.log").write_text("a\nb\nc\n")
    assert CliRunner().invoke(swak, ["logs", "web", "-n", "2"]).stdout == "b\nc\n"
