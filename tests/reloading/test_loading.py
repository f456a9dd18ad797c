from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

import pytest

from swak.errors import ConfigError
from swak.reloading import loading
from swak.reloading.loading import load_checked, local_files, local_modules, renewed

if TYPE_CHECKING:
    from pathlib import Path

FINE = "task(in_.Memory(), out.Null(), name='t')\n"


def recipe(folder: Path, text: str, name: str = "web.py") -> str:
    (folder / name).write_text(text)
    return str(folder / name)


def test_a_recipe_that_is_right_is_loaded(tmp_path: Path) -> None:
    assert [flow.name for flow in load_checked(recipe(tmp_path, FINE), 30).flows] == ["t"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("task(in_.Memory(), out.Nul())", 'web.py:1  out.Nul: there is no such plugin; did you mean "Null"?'),
        ("\n\nraise SystemExit(0)", "web.py:3  it ends the process"),
        ("import os; os._exit(0)", "ends the process with exit code 0"),
        ("import os; os.abort()", "ends the process with exit code -6"),
        ("print('Configuration OK'); import os; os._exit(1)", "exit code 1"),
        ("", "the recipe declares no flow"),
    ],
)
def test_a_recipe_that_is_wrong_is_refused_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_checked(recipe(tmp_path, text), 30)
    assert told in str(caught.value)


def test_a_recipe_that_hangs_is_given_up(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"web.py:2  the recipe has not been loaded after 1.5 s"):
        load_checked(recipe(tmp_path, "import time\nwhile True: time.sleep(0.1)"), 1.5)


def test_a_recipe_that_hangs_and_catches_everything_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "END_S", 0.5)
    text = "import signal, os\nos.close(1)\nos.close(2)\nimport threading\nthreading.Event().wait()"
    with pytest.raises(ConfigError, match=r"has not been loaded after 1 s|ends the process"):
        load_checked(recipe(tmp_path, text), 1)


def test_a_recipe_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read the recipe"):
        load_checked(str(tmp_path / "none.py"), 5)


def test_a_module_beside_the_recipe_is_loaded_anew(tmp_path: Path) -> None:
    recipe(tmp_path, "NAME = 'one'\n", "swak_test_beside.py")
    path = recipe(tmp_path, "from swak_test_beside import NAME\ntask(in_.Memory(), out.Null(), name=NAME)")
    try:
        assert load_checked(path, 30).flows[0].name == "one"
        assert set(local_files(path)) == {path, str(tmp_path / "swak_test_beside.py")}
        recipe(tmp_path, "NAME = 'two'\n", "swak_test_beside.py")
        assert load_checked(path, 30).flows[0].name == "two"
    finally:
        sys.modules.pop("swak_test_beside", None)


def test_when_that_fails_the_module_of_before_is_there_again(tmp_path: Path) -> None:
    recipe(tmp_path, "NAME = 'one'\n", "swak_test_kept.py")
    path = recipe(tmp_path, "from swak_test_kept import NAME\ntask(in_.Memory(), out.Null(), name=NAME)")
    try:
        load_checked(path, 30)
        before = local_modules(path)["swak_test_kept"]
        with pytest.raises(KeyError), renewed(path):
            sys.modules["swak_test_kept"]
        assert local_modules(path)["swak_test_kept"] is before
    finally:
        sys.modules.pop("swak_test_kept", None)


def test_what_is_fine_in_a_child_and_hangs_here_is_given_up() -> None:
    over = threading.Event()
    with pytest.raises(ConfigError, match=r"web.py:0  the recipe has not been loaded after 0.1 s"):
        loading._within(0.1, "web.py", lambda: over.wait(20))  # type: ignore[arg-type,return-value]
    over.set()
