from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from swak.background.naming import claim, find
from swak.background.places import of_this_user, usable
from swak.cli import swak
from swak.commands.given import EXIT_STATE
from swak.commands.upgrading import hand_over

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SWAK_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("other", [["--now"], ["--stage", "Tcp"]])
def test_a_handover_is_of_the_whole_agent_in_order(other: list[str]) -> None:
    done = CliRunner().invoke(swak, ["restart", "--handover", *other])
    assert done.exit_code == 2
    assert "leave --now and --stage out" in done.stderr


def test_where_nobody_runs_there_is_nobody_to_hand_over() -> None:
    done = CliRunner().invoke(swak, ["restart", "--handover", "web"])
    assert (done.exit_code, "swak up -d RECIPE" in done.stderr) == (EXIT_STATE, True)


def test_an_agent_that_cannot_be_asked_runs_on() -> None:
    owned = claim(usable(), "web")
    owned.describe({"recipe": "web.py"})
    done = CliRunner().invoke(swak, ["restart", "--handover"])
    owned.release()
    assert done.exit_code == 1
    assert f"web runs on, as process {os.getpid()}" in done.stderr


def test_on_windows_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    owned = claim(usable(), "web")
    owned.describe({"recipe": "web.py"})
    monkeypatch.setattr(sys, "platform", "win32")
    try:
        with pytest.raises(Exception, match="no handover on Windows"):
            hand_over(find(of_this_user(), "web"))
    finally:
        monkeypatch.undo()
        owned.release()
