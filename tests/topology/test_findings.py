"""What is said of a flow, and of what stands in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from swak import Event, Filter, Input, Output, option, task
from swak.errors import ConfigError, Problem
from swak.recipe import Flow, Recipe
from swak.topology.compile import compile_recipe

if TYPE_CHECKING:
    from swak.topology.graph import Topology


class Numbers(Input):
    """Makes numbers."""


class Upper(Filter):
    """Upper case."""

    def process(self, event: Event) -> Event:
        return event


class Keep(Output):
    """Keeps."""

    path: str = option("Where.", default="here")


class Fussy(Output):
    """Has an opinion on its options taken together."""

    def check(self) -> list[tuple[str, str]]:
        return [("two options exclude each other", "leave one out")]


def compiled(*flows: Flow, file: str = "") -> Topology:
    return compile_recipe(Recipe(flows, file))


def problems_of(*flows: Flow, file: str = "") -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as caught:
        compiled(*flows, file=file)
    return caught.value.problems


def problem_of(*parts: Any) -> Problem:
    (problem,) = problems_of(task(*parts))
    return problem


@pytest.mark.parametrize(
    ("part", "what", "mend"),
    [
        (Keep, "Keep is a class", "did you mean out.Keep()?"),
        (Numbers, "Numbers is a class", "did you mean in_.Numbers()?"),
        (Output, "Output is a class", "Output()"),
        (None, "None is no stage", "out.Stdout()"),
        ("out.Keep()", "'out.Keep()' is no stage", "out.Stdout()"),
        ((Keep(), Keep()), "a tuple is no stage", "write a list"),
        ({Keep()}, "a set is no stage", "write a list"),
        (task(Numbers(), Keep()), "a task stands inside", "left margin"),
        ("x" * 1000, "... is no stage", "out.Stdout()"),
        ([], "an empty list", "at least one"),
        ({}, "an empty dict", "at least one"),
    ],
)
def test_what_is_no_stage_is_refused(part: Any, what: str, mend: str) -> None:
    problem = problem_of(Numbers(), part)
    assert what in problem.what
    assert mend in problem.mend


def test_what_a_plugin_says_of_its_options_is_a_problem() -> None:
    problem = problem_of(Numbers(), Fussy())
    assert (problem.what, problem.mend) == ("Fussy: two options exclude each other", "leave one out")
    assert problem.file == __file__
    assert problem.line


def test_a_check_that_fails_hides_no_other_problem() -> None:
    class Broken(Output):
        def check(self) -> list[tuple[str, str]]:
            raise OSError("no")

    found = problems_of(task(Numbers(), [Broken(), Upper()]))
    assert [problem.what.partition(":")[0] for problem in found] == ["Broken", "Upper"]
