from __future__ import annotations

import inspect
from contextvars import copy_context

import pytest

from swak import errors
from swak.errors import ConfigError, Problem, Refused, Retry, SwakError, report
from swak.testing import event


def test_a_problem_says_where_what_and_how_to_mend() -> None:
    assert str(Problem('unknown option "prot"', 'did you mean "port"?', "web.py", 21)) == (
        'web.py:21  unknown option "prot"; did you mean "port"?'
    )
    assert str(Problem("the recipe declares no flow")) == "the recipe declares no flow"


def test_a_config_error_tells_all_problems() -> None:
    error = ConfigError([Problem("one"), Problem("two")])
    assert str(error) == "one\ntwo"
    assert [problem.what for problem in error.problems] == ["one", "two"]


def test_a_problem_outside_of_a_recipe_is_raised() -> None:
    with pytest.raises(ConfigError, match="one"):
        report([Problem("one")])


def test_a_problem_in_a_recipe_that_is_being_loaded_is_collected() -> None:
    collected: list[Problem] = []

    def load() -> None:
        errors.COLLECTED.set(collected)
        report([Problem("one")])
        report([Problem("two")])

    copy_context().run(load)
    assert [problem.what for problem in collected] == ["one", "two"]


def test_what_a_plugin_says_comes_with_its_facts() -> None:
    one = event({"n": 1})
    refused, retry = Refused([one], "too long"), Retry("slow down", 5)
    assert (refused.events, refused.reason, str(refused)) == ([one], "too long", "too long")
    assert (retry.after_s, str(retry)) == (5, "slow down")


def test_every_exception_stands_in_the_tree_that_the_module_draws() -> None:
    classes = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if cls.__module__ == "swak.errors"]
    raised = [cls for cls in classes if issubclass(cls, Exception)]
    assert all(issubclass(cls, SwakError) for cls in raised)
    assert [cls.__name__ for cls in raised if f" {cls.__name__}" not in (errors.__doc__ or "")] == []
