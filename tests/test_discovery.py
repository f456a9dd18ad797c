"""Where plugins come from."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from swak.beside import Beside
from swak.discovery import UnknownPluginError, external, local, lookup, standard
from swak.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = '''
from swak import Filter, Output

class Fancy(Output):
    """Does what nobody else does.

    And more.
    """

class Null(Output):
    """Has a name that is taken."""

class Odd(Filter):
    """Is offered as an output."""
'''


@pytest.fixture
def offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Install a package that offers plugins, two of them broken; return its name."""
    name = f"fancy_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(SOURCE)
    info = tmp_path / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    points = f"Fancy={name}:Fancy\nNull={name}:Null\nOdd={name}:Odd\nBroken=no_such_module_{name}:X\n"
    (info / "entry_points.txt").write_text(f"[swak.outputs]\n{points}")
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


def test_every_built_in_plugin_is_sound() -> None:
    assert [(one.spelled, one.trouble) for one in standard() if one.trouble] == []


def test_built_in_plugins_are_listed_with_kind_and_first_line() -> None:
    null = next(one for one in standard() if one.name == "Null")
    assert (null.kind, null.spelled, null.origin) == ("output", "out.Null", "swak")
    assert null.doc.startswith("Drop everything")


def test_a_plugin_of_another_package_is_found(offered: str) -> None:
    assert lookup("out", "Fancy").__module__ == offered


def test_a_package_whose_plugin_cannot_be_loaded_harms_no_other(offered: str) -> None:
    found = {one.name: one for one in external()}
    assert (found["Fancy"].trouble, found["Fancy"].doc) == ("", "Does what nobody else does.")
    assert "cannot be loaded: ModuleNotFoundError" in found["Broken"].trouble
    assert found["Broken"].origin == offered


def test_using_a_plugin_that_cannot_be_loaded_says_which_package_is_broken(offered: str) -> None:
    with pytest.raises(ConfigError, match=f"package {offered} cannot be loaded"):
        lookup("out", "Broken")


@pytest.mark.usefixtures("offered")
def test_a_plugin_offered_as_another_kind_is_refused() -> None:
    with pytest.raises(ConfigError, match="is no output plugin"):
        lookup("out", "Odd")


@pytest.mark.usefixtures("offered")
def test_a_built_in_plugin_is_not_replaced_by_another_package() -> None:
    assert lookup("out", "Null").__module__ == "swak.plugins.outputs.null"
    assert "built-in" in next(one for one in external() if one.name == "Null").trouble


def test_plugins_in_a_folder_are_listed_without_running_them(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text('import swak\nclass Mine(swak.Filter):\n    """Is mine."""\nraise SystemExit\n')
    (tmp_path / "broken.py").write_text("class Other(Filter:\n")
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "more.py").write_text("class More(Input): ...\nclass Plain: ...\n")
    found = [(one.spelled, one.kind, one.doc) for one in local(tmp_path)]
    assert found == [("out.Mine", "filter", "Is mine."), ("in_.More", "input", "")]


def test_a_local_plugin_is_suggested(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("class MyLogParser(Filter): ...\n")
    with pytest.raises(UnknownPluginError, match='did you mean "MyLogParser"'):
        lookup("out", "MyLogParsr", Beside(tmp_path))


def test_without_the_plugin_package_there_is_nothing_and_no_error() -> None:
    code = """
import sys
sys.modules["swak.plugins"] = None
from swak.discovery import UnknownPluginError, lookup, standard
assert standard() == []
try:
    lookup("out", "Stdout")
except UnknownPluginError:
    sys.exit(0)
sys.exit(1)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
