"""`swak up --control`, up to the door."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from swak.cli import swak
from swak.commands.remote import Control, open_door
from swak.commands.watching import Where
from swak.errors import StateError
from tests.control.guarded import guard

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

    from tests.servers.certificates import Certificates

RECIPE = "in_.Counter(3) | out.Null()"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SWAK_HOME", str(tmp_path / "home"))
    return tmp_path


def up(*arguments: str) -> Result:
    return CliRunner().invoke(swak, ["up", "--ephemeral", "-e", RECIPE, *arguments])


def test_there_is_no_control_without_what_guards_it() -> None:
    done = up("--control", "127.0.0.1:0")
    assert (done.exit_code, "there is no control without TLS" in done.stderr) == (2, True)
    assert up("--control", "nonsense").exit_code == 2


def test_what_is_wrong_with_the_files_is_told_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "control.toml").write_text('certificate = "x"\n')
    done = up("--control", "0", "--control-config", str(tmp_path / "control.toml"))
    assert done.exit_code == 78
    assert '"key" is missing; give key = a path' in done.stderr
    assert "Counter" not in done.stderr


def test_an_address_that_cannot_be_had_is_told(tmp_path: Path, certificates: Certificates) -> None:
    made = guard(tmp_path, certificates)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = up("--control", f"127.0.0.1:{port}", "--control-config", str(made.path))
    assert (done.exit_code, f"--control: 127.0.0.1:{port}: Address" in done.stderr) == (1, True)


def test_the_log_says_where_it_listens(tmp_path: Path, certificates: Certificates) -> None:
    made = guard(tmp_path, certificates)
    done = up("--control", "127.0.0.1:0", "--control-config", str(made.path))
    assert done.exit_code == 0, done.stderr
    assert "control over TCP" in done.stderr
    assert "address=127.0.0.1:" in done.stderr


def test_an_agent_that_nobody_could_find_is_controlled_by_nobody(tmp_path: Path, certificates: Certificates) -> None:
    made = guard(tmp_path, certificates)
    with pytest.raises(StateError, match="SWAK_HOME"):
        open_door(None, Control(Where("127.0.0.1", 0), str(made.path)))
