from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from swak.cli import swak

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a unit of systemd's is looked at")


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "web.py"
    path.write_text("from swak import in_, out, task\ntask(in_.Udp(5140), out.Null())\n")
    return path


def test_print_shows_the_unit_and_changes_nothing(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(recipe.parent / "config"))
    done = CliRunner().invoke(swak, ["service", "install", "--user", "--print", "--metrics", "9598", str(recipe)])
    assert done.exit_code == 0, done.output
    assert "Type=notify" in done.output
    assert "--metrics 9598" in done.output
    assert [path.name for path in recipe.parent.iterdir() if path.name != "__pycache__"] == ["web.py"]


def test_a_bad_recipe_is_not_installed(tmp_path: Path) -> None:
    path = tmp_path / "web.py"
    path.write_text("task(in_.Nginks())\n")
    assert CliRunner().invoke(swak, ["service", "install", str(path)]).exit_code == 78


def test_a_user_of_the_systems_and_a_service_of_ones_own_do_not_go_together(recipe: Path) -> None:
    done = CliRunner().invoke(swak, ["service", "install", "--user", "--run-as", "kim", str(recipe)])
    assert done.exit_code == 2


def test_what_the_system_does_not_do_is_told(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(recipe.parent))  # there is no systemctl
    done = CliRunner().invoke(swak, ["service", "start", str(recipe)])
    assert done.exit_code == 1
    assert "there is no systemctl here" in done.output
