"""Plugins that a recipe brings along."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from swak.errors import ConfigError, Problem
from swak.topology.load import load_file

if TYPE_CHECKING:
    from pathlib import Path

    from swak.recipe import Recipe

PARSER = "from swak import Filter\nclass MyLogParser(Filter):\n    mark = {mark!r}\n"
RECIPE = "class Numbers(Input): ...\ntask(in_.Numbers(), out.MyLogParser())\n"


def load(folder: Path, text: str = RECIPE) -> Recipe:
    (folder / "web.py").write_text(text)
    return load_file(folder / "web.py")


def problem_of(folder: Path, text: str = RECIPE) -> Problem:
    with pytest.raises(ConfigError) as caught:
        load(folder, text)
    return caught.value.problems[0]


@pytest.mark.parametrize("name", ["my_log_parser.py", "anything.py", "plugins/parsers.py"])
def test_a_class_in_a_file_beside_the_recipe_is_found(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(PARSER.format(mark=name))
    assert load(tmp_path).flows[0].parts[1].mark == name


def test_a_class_that_the_recipe_imported_is_found(tmp_path: Path) -> None:
    (tmp_path / "imported_by_recipe.py").write_text(PARSER.format(mark="imported"))
    text = f"from imported_by_recipe import MyLogParser as Imported\n{RECIPE}assert type(out.MyLogParser()) is Imported"
    assert load(tmp_path, text).flows[0].parts[1].mark == "imported"


def test_only_the_file_that_has_the_class_is_run(tmp_path: Path) -> None:
    (tmp_path / "my_log_parser.py").write_text(PARSER.format(mark="right"))
    (tmp_path / "other.py").write_text("raise SystemExit('MyLogParser')\n")
    assert load(tmp_path).flows


def test_flows_of_a_file_beside_are_its_own(tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text(
        "from swak import out, task\n" + PARSER.format(mark="") + "task(out.MyLogParser())\n"
    )
    assert len(load(tmp_path).flows) == 1


def test_the_file_named_like_the_class_wins(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(PARSER.format(mark="a"))
    (tmp_path / "my_log_parser.py").write_text(PARSER.format(mark="right"))
    assert load(tmp_path).flows[0].parts[1].mark == "right"


def test_several_files_with_the_class_are_a_problem(tmp_path: Path) -> None:
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text(PARSER.format(mark=name))
    assert "several files beside the recipe define MyLogParser: a.py, b.py" in problem_of(tmp_path).what


def test_a_changed_file_is_read_anew_by_the_next_load(tmp_path: Path) -> None:
    for mark in ("before", "after, and longer"):
        (tmp_path / "my_log_parser.py").write_text(PARSER.format(mark=mark))
        assert load(tmp_path).flows[0].parts[1].mark == mark


def test_a_file_beside_that_fails_is_told_with_its_own_line(tmp_path: Path) -> None:
    (tmp_path / "my_log_parser.py").write_text("x = 1\n1/0\n" + PARSER.format(mark=""))
    problem = problem_of(tmp_path)
    assert (problem.file, problem.line) == (str(tmp_path / "my_log_parser.py"), 2)
    assert problem.what == "ZeroDivisionError: division by zero"


def test_a_class_that_stands_further_down_is_pointed_to(tmp_path: Path) -> None:
    problem = problem_of(tmp_path, RECIPE + "class MyLogParser(Filter): ...\n")
    assert (problem.line, problem.mend) == (2, "the class stands further down, in line 3: move it up")


def test_a_class_on_the_wrong_side_is_pointed_to(tmp_path: Path) -> None:
    problem = problem_of(tmp_path, "class MyLogParser(Filter): ...\ntask(in_.MyLogParser())")
    assert (problem.line, problem.mend) == (2, "write out.MyLogParser")


def test_a_class_with_the_name_of_a_built_in_plugin_is_a_problem(tmp_path: Path) -> None:
    problem = problem_of(
        tmp_path, "class Numbers(Input): ...\n\nclass Null(Output): ...\ntask(in_.Numbers(), out.Null())"
    )
    assert (problem.file, problem.line) == (str(tmp_path / "web.py"), 3)
    assert problem.what == "class Null has the name of a built-in plugin"


def test_a_class_beside_with_the_name_of_a_built_in_plugin_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("from swak import Output\nclass Null(Output): ...\n")
    problem = problem_of(tmp_path, "class Numbers(Input): ...\ntask(in_.Numbers(), out.Null())")
    assert (problem.file, problem.line) == (str(tmp_path / "mine.py"), 2)


def test_an_input_may_share_its_name_with_an_output(tmp_path: Path) -> None:
    assert load(tmp_path, "class Null(Input): ...\ntask(in_.Null(), out.Null())").flows


def test_a_class_that_is_no_plugin_is_not_taken_for_one(tmp_path: Path) -> None:
    (tmp_path / "my_log_parser.py").write_text("class MyLogParser: ...\n")
    assert problem_of(tmp_path).what == "out.MyLogParser: there is no such plugin"
