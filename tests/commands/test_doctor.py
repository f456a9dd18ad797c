from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from swak.cli import swak

if TYPE_CHECKING:
    from pathlib import Path

FINE = "task(in_.Udp(0), out.Null())"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SWAK_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SWAK_DATA_DIR", raising=False)
    return tmp_path


def doctor(*arguments: str) -> Result:
    return CliRunner().invoke(swak, ["doctor", *arguments])


def test_a_machine_that_is_well_is_told_so_and_nothing_is_made(place: Path) -> None:
    done = doctor("-e", FINE, "--connect")
    assert done.exit_code == 0, done.output
    assert "machine:" in done.output
    assert "data directory:" in done.output
    assert list(place.iterdir()) == []


def test_without_a_recipe_it_looks_at_the_machine() -> None:
    assert doctor().exit_code == 0


def test_json_has_the_findings_and_the_exit_code() -> None:
    done = doctor("--json")
    told = json.loads(done.output)
    assert told["exit_code"] == 0
    assert {"area", "subject", "level", "what", "mend"} == set(told["findings"][0])


def test_a_handshake_that_fails_is_exit_code_69() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    done = doctor("--connect", "-e", f'task(in_.Udp(0), out.Tcp("127.0.0.1", {port}))')
    assert done.exit_code == 69
    assert f"127.0.0.1:{port}" in done.output


def test_without_connect_nothing_is_tried() -> None:
    assert doctor("-e", 'task(in_.Udp(0), out.Tcp("127.0.0.1", 1))').exit_code == 0


def test_a_bad_recipe_is_exit_code_78() -> None:
    assert doctor("-e", "task(in_.Nginks())").exit_code == 78


def test_what_is_wrong_here_is_exit_code_1(place: Path) -> None:
    (place / "file").write_text("")
    assert doctor("--data-dir", str(place / "file" / "data")).exit_code == 1


def test_connect_wants_a_recipe() -> None:
    assert doctor("--connect").exit_code == 2
