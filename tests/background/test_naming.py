from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from swak.background.naming import check_name, claim, claim_free, find, name_of, running
from swak.background.places import Places
from swak.errors import StateError
from tests.house import ROOT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path, tmp_path)


def test_a_name_has_one_agent_until_that_lets_go(places: Places) -> None:
    first = claim(places, "web")
    with pytest.raises(StateError, match=rf'"web" runs already \(process {os.getpid()}\); stop it'):
        claim(places, "web")
    first.release()
    claim(places, "web").release()
    assert list(places.run.iterdir()) == []


def test_what_a_killed_agent_left_counts_for_nothing(places: Places) -> None:
    program = (
        "import os, sys, pathlib\n"
        "from swak.background.naming import claim\n"
        "from swak.background.places import Places\n"
        "claim(Places(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[1])), 'web').describe({})\n"
        "os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", program, str(places.run)], cwd=ROOT, timeout=30, check=False)
    assert (places.run / "web.pid").exists()
    assert running([places]) == []
    claim(places, "web").release()


def test_a_process_id_that_another_process_has_by_now_is_not_believed(places: Places) -> None:
    (places.run / "web.pid").write_text(f"{os.getppid()}\n")
    assert running([places]) == []


def test_who_is_looked_for_is_found_with_what_he_told(places: Places) -> None:
    owned = claim(places, "web")
    owned.describe({"recipe": "web.py"})
    assert find([places], "web") == find([places], None)
    found = find([places], "web")
    assert (found.pid, found.details["recipe"], found.runs()) == (os.getpid(), "web.py", True)
    owned.release()
    assert not found.runs()


def test_details_of_an_earlier_process_of_that_name_are_not_believed(places: Places) -> None:
    (places.run / "web.json").write_text(json.dumps({"pid": 1, "socket": "/elsewhere"}))
    owned = claim(places, "web")
    assert find([places], "web").details == {}
    owned.release()


def test_where_several_run_one_has_to_be_named(places: Places) -> None:
    owned = [claim(places, name) for name in ("web", "app")]
    with pytest.raises(StateError, match="several agents run: app, web; name one"):
        find([places], None)
    with pytest.raises(StateError, match='"wep" does not run; did you mean "web"'):
        find([places], "wep")
    for one in owned:
        one.release()
    with pytest.raises(StateError, match="no agent runs; start one"):
        find([places], None)


def test_one_without_a_name_of_its_own_takes_the_next_that_is_free(places: Places) -> None:
    owned = [claim_free(places, "web") for _ in range(3)]
    assert [one.name for one in owned] == ["web", "web-2", "web-3"]
    for one in owned:
        one.release()


@pytest.mark.parametrize(
    ("recipe", "name"), [("/etc/swak/web.py", "web"), ("my logs!.py", "my-logs"), ("로그.py", "로그"), ("...", "agent")]
)
def test_a_recipe_gives_its_agent_a_name(recipe: str, name: str) -> None:
    assert check_name(name_of(recipe)) == name


@pytest.mark.parametrize("name", ["", "../web", "a/b", ".hidden", "-d", "a b", "x" * 65])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is no name"):
        check_name(name)
