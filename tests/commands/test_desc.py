"""`swak desc`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from swak import Output, option
from swak.cli import swak
from swak.commands.desc import describe

if TYPE_CHECKING:
    from pathlib import Path


class Sample(Output):
    """Take everything.

    And keep it.
    """

    path: str = option("Where to.")
    token: str = option("The password.", default="hush", secret=True)
    key: str | None = option("A key.", default=None, secret=True)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(swak, ["desc", *arguments])


@pytest.mark.parametrize("name", ["out.Null", "Null"])
def test_a_plugin_is_described(name: str) -> None:
    result = run(name)
    assert result.exit_code == 0
    assert result.stdout.startswith("out.Null (output)\n\nDrop everything")


def test_a_page_has_docstring_types_defaults_and_docs() -> None:
    text = describe("out.Sample", Sample)
    assert text.startswith("out.Sample (output)\n\nTake everything.\n\nAnd keep it.\n\nOptions:\n")
    assert re.search(r"(?m)^  path +str +\(required\) +Where to\.$", text)
    assert re.search(r"(?m)^  key +str \| None +None +A key\.$", text)


def test_a_secret_default_is_masked() -> None:
    text = describe("out.Sample", Sample)
    assert "hush" not in text
    assert re.search(r"(?m)^  token +str +\*{8} ", text)


@pytest.mark.parametrize("name", ["in_.Mine", "in.Mine", "Mine"])
def test_inputs_are_found_as_recipes_spell_them(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text('from swak import Input\nclass Mine(Input):\n    """Is mine."""\n')
    assert run(name).stdout == "in_.Mine (input)\n\nIs mine.\n\nIt has no options.\n"


def test_a_name_on_both_sides_is_described_twice() -> None:
    assert re.findall(r"(?m)^(\w+\.Memory) \(", run("Memory").stdout) == ["in_.Memory", "out.Memory"]


@pytest.mark.parametrize(
    ("name", "meant"), [("out.Nul", "Null"), ("Nul", "Null"), ("out.null", "Null"), ("o.Null", "Null")]
)
def test_an_unknown_plugin_is_wrong_usage_with_what_was_meant(name: str, meant: str) -> None:
    result = run(name)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"Can not find plugin '{name}'; did you mean \"{meant}\"?\n"


def test_a_local_file_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("from swak import Input\n1/0\nclass Mine(Input): ...\n")
    result = run("in_.Mine")
    assert result.exit_code == 78
    assert "mine.py:2  ZeroDivisionError" in result.stderr
