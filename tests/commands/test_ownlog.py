from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from swak.cli import swak
from swak.commands.ownlog import heed_own_log, warnings
from swak.errors import ConfigError
from swak.topology.compile import compile_recipe
from swak.topology.load import load_text

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SWAK_HOME", str(tmp_path))
    return tmp_path / "logs"


def test_a_recipe_that_reads_its_agents_log_is_warned(logs: Path) -> None:
    topology = compile_recipe(load_text(f'task(in_.FileTailing("{logs}/*.log"), out.Null())'))
    (told,) = warnings(topology, "web")
    assert f"it reads {logs}/web.log, the log of its own agent in the background (swak up -d); keep" in told
    assert 'exclude="web.log*"' in told


@pytest.mark.parametrize("path", ["/var/log/app.log", "logs/other.log"])
def test_a_recipe_that_reads_something_else_is_not(logs: Path, path: str) -> None:
    topology = compile_recipe(load_text(f'task(in_.FileTailing("{logs.parent / path}"), out.Null())'))
    assert list(warnings(topology, "web")) == []


def test_check_says_so(logs: Path, tmp_path: Path) -> None:
    (tmp_path / "web.py").write_text(f'task(in_.FileTailing("{logs}"), out.Null())')
    done = CliRunner().invoke(swak, ["check", str(tmp_path / "web.py")])
    assert (done.exit_code, "warning: " in done.stderr, "web.log" in done.stderr) == (0, True, True)


def test_what_excludes_its_log_is_not_warned(logs: Path) -> None:
    text = f'task(in_.FileTailing("{logs}/*.log", exclude="web.log*"), out.Null())'
    assert list(warnings(compile_recipe(load_text(text)), "web")) == []


def test_a_log_that_is_read_and_printed_to_is_refused(logs: Path) -> None:
    topology = compile_recipe(load_text(f'task(in_.FileTailing("{logs}/*.log"), out.Stdout())'))
    with pytest.raises(ConfigError, match="an output prints there"):
        heed_own_log(topology, str(logs / "web.log"))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells where a descriptor leads")
def test_a_log_that_is_read_is_told_at_the_start(logs: Path, caplog: pytest.LogCaptureFixture) -> None:
    topology = compile_recipe(load_text(f'task(in_.FileTailing("{logs}/*.log"), out.Null())'))
    heed_own_log(topology, str(logs / "web.log"))
    assert "the log of its own agent" in caplog.text
