from __future__ import annotations

from typing import TYPE_CHECKING

from click.testing import CliRunner

from swak.cli import swak
from swak.commands.control import ROLES
from swak.control import rights
from swak.control.grants import Grants

if TYPE_CHECKING:
    from pathlib import Path


def test_a_token_is_printed_once_and_its_hash_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    done = CliRunner().invoke(swak, ["control", "token", "ops", "operate", "--tokens", str(path)])
    token = done.stdout.strip()
    assert (done.exit_code, done.stdout) == (0, f"{token}\n")
    assert token not in done.stderr
    grant = Grants(path).find(token, ())
    assert grant is not None
    assert (grant.name, grant.role) == ("ops", "operate")
    again = CliRunner().invoke(swak, ["control", "token", "ops", "read", "--tokens", str(path)])
    assert (again.exit_code, "has a token" in again.stderr) == (78, True)


def test_wrong_usage_makes_no_file(tmp_path: Path) -> None:
    for arguments in (
        ["ops", "admin", "--tokens", str(tmp_path / "x")],
        ["ops", "read"],
        ["a b", "read", "--tokens", str(tmp_path / "x")],
    ):
        assert CliRunner().invoke(swak, ["control", "token", *arguments]).exit_code in {2, 78}
    assert list(tmp_path.iterdir()) == []


def test_the_roles_are_those_that_the_agent_knows() -> None:
    assert ROLES == rights.ROLES
