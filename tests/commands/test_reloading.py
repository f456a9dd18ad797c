from __future__ import annotations

import json
from typing import TYPE_CHECKING

from click.testing import CliRunner

from swak.cli import swak
from swak.commands.reloading import difference

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

ONE = "task(in_.Memory(), out.Null(), name='t')\n"
TWO = "task(in_.Memory(), [out.Null(), out.Null(retry_for=1)], name='t')\n"


def recipes(folder: Path, *texts: str) -> list[str]:
    for number, text in enumerate(texts):
        (folder / f"{number}.py").write_text(text)
    return [str(folder / f"{number}.py") for number in range(len(texts))]


def test_two_recipes_are_compared(tmp_path: Path) -> None:
    done = CliRunner().invoke(swak, ["plan", *recipes(tmp_path, ONE, TWO)])
    assert (done.exit_code, done.output) == (
        0,
        ">  t/Memory  hands on in another way\n+  t/Null-2  is new\n",
    )
    assert CliRunner().invoke(swak, ["plan", *recipes(tmp_path, ONE, ONE)]).output == "nothing is different\n"


def test_flows_without_a_name_count_as_those_of_the_file_that_would_be_replaced(tmp_path: Path) -> None:
    unnamed = "task(in_.Memory(), out.Null())\n"
    assert CliRunner().invoke(swak, ["plan", *recipes(tmp_path, unnamed, unnamed)]).output == "nothing is different\n"


def test_the_difference_comes_as_json(tmp_path: Path) -> None:
    done = CliRunner().invoke(swak, ["plan", "--json", *recipes(tmp_path, TWO, ONE)])
    assert json.loads(done.output) == {"changed": [], "rewired": ["t/Memory"], "added": [], "removed": ["t/Null-2"]}


def test_a_recipe_that_is_wrong_is_told_with_its_place(tmp_path: Path) -> None:
    done = CliRunner().invoke(swak, ["plan", *recipes(tmp_path, ONE, "task(in_.Memory(), out.Nul())")])
    assert done.exit_code == 78
    assert '1.py:1  out.Nul: there is no such plugin; did you mean "Null"?' in done.output


def test_too_many_recipes_are_wrong_usage(tmp_path: Path) -> None:
    assert CliRunner().invoke(swak, ["plan", *recipes(tmp_path, ONE, ONE, ONE)]).exit_code == 2


def test_without_an_agent_there_is_nothing_to_reload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWAK_HOME", str(tmp_path))
    for command in (["reload"], ["reload", "web"], ["plan", str(tmp_path / "0.py")]):
        done = CliRunner().invoke(swak, command)
        assert done.exit_code == 74, done.output


def test_names_that_steer_a_terminal_are_shown_as_text() -> None:
    told = {"changed": [], "rewired": [], "added": ["t/\x1b[31m"], "removed": []}
    assert "\x1b" not in difference(told)
