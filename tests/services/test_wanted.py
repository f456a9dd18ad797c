from __future__ import annotations

import sys
from pathlib import Path

import pytest

from swak.errors import ConfigError
from swak.services.wanted import Wanted, name_of, wanted_for
from swak.topology.compile import compile_recipe
from swak.topology.load import load_text

posix = pytest.mark.skipif(sys.platform == "win32", reason="paths of POSIX")
RECIPE = Path("/etc/swak/web.py")


def wanted(text: str, recipe: Path = RECIPE) -> Wanted:
    return wanted_for(recipe, compile_recipe(load_text(text)))


@pytest.mark.parametrize(
    ("file", "name"),
    [("web.py", "swak-web"), ("My Shop@2.py", "swak-my-shop-2"), ("..py", "swak-recipe"), ("로그.py", "swak-recipe")],
)
def test_a_service_has_a_name_that_every_system_takes(file: str, name: str) -> None:
    assert name_of(Path("/etc") / file) == name


@posix
def test_folders_that_the_recipe_writes_to_are_found() -> None:
    found = wanted('task(in_.Udp(5140), out.DiskBuffer("/var/spool/web"), out.File("/srv/out/a.json"))')
    assert found.folders == ("/srv/out", "/var/spool/web")
    assert (found.folder, found.uses_tmp, found.low_ports) == ("/", False, False)


@posix
def test_paths_that_count_from_here_are_meant_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = wanted('task(in_.FileTailing("app.log"), out.File("out/a.json"))')
    assert found.folder == str(tmp_path)
    assert found.folders == (str(tmp_path / "out"),)


@posix
def test_a_recipe_that_reads_below_tmp_is_known() -> None:
    assert wanted('task(in_.FileTailing("/tmp/app.log"), out.Null())').uses_tmp
    assert wanted("task(in_.Udp(5140), out.Null())", Path("/tmp/web.py")).uses_tmp


def test_a_port_of_the_systems_is_known() -> None:
    assert wanted("task(in_.Udp(514), out.Null())").low_ports
    assert not wanted("task(in_.Udp(0), out.Null())").low_ports


def test_a_path_with_a_line_feed_is_refused() -> None:
    with pytest.raises(ConfigError, match="rename"):
        wanted("task(in_.Udp(5140), out.Null())", Path("/etc/a\nExecStart=b.py"))


def test_the_command_runs_the_recipe_with_a_log_for_machines() -> None:
    own = Wanted("swak-web", RECIPE, ("swak",), metrics="9598")
    shown = own.command("/state")
    assert shown[:2] == ["swak", "up"]
    assert shown[-1] == str(RECIPE)
    assert "--metrics 9598" in " ".join(shown)
