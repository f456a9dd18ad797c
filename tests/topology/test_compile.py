"""From recipes to topologies: names, and what is wrong with all flows together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from swak import Event, Filter, Input, Output, main, option, task
from swak.discovery import StandIn
from swak.errors import ConfigError, Problem
from swak.recipe import Chain, Flow, Recipe
from swak.topology.compile import compile_recipe

if TYPE_CHECKING:
    from swak.topology.graph import Topology


class Numbers(Input):
    """Makes numbers."""


class Keyboard(Input):
    """Reads the terminal."""

    uses_terminal = True


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


def test_flows_are_named_by_file_and_ordinal_unless_they_have_a_name() -> None:
    flows = (task(Numbers(), Keep()), main(Numbers(), Keep(), name="own"), task(Numbers(), Keep()))
    assert [flow.name for flow in compiled(*flows, file="recipes/web.py").flows] == ["web-1", "own", "web-3"]
    assert [flow.name for flow in compiled(flows[0], file="<text>").flows] == ["task-1"]


def test_two_flows_of_one_name_are_refused() -> None:
    found = problems_of(task(Numbers(), Keep(), name="a"), task(Numbers(), Keep(), name="a"))
    assert [problem.what for problem in found] == ['task: there is another flow named "a"']


@pytest.mark.parametrize("name", ["", "  ", "a/b", "a\\b", "a\nb", "x" * 101, 5])
def test_a_name_that_cannot_key_a_checkpoint_is_refused(name: Any) -> None:
    (problem,) = problems_of(task(Numbers(), Keep(), name=name))
    assert "is no name for a flow" in problem.what


def test_a_recipe_without_flows_is_refused() -> None:
    assert problems_of()[0].what == "the recipe declares no flow"


def test_a_plugin_in_two_places_is_refused() -> None:
    tail = Upper() | Keep()
    found = problems_of(task(Numbers(), tail), task(Numbers(), tail))
    assert [problem.what for problem in found] == [
        "Upper: the same plugin stands in two places",
        "Keep: the same plugin stands in two places",
    ]


def test_what_was_reported_before_is_not_reported_again() -> None:
    plugin = Fussy()
    plugin.valid = False
    topology = compiled(task(StandIn(), [StandIn(), StandIn, plugin]), task(Numbers(), StandIn(), Keep()))
    assert len(topology.flows) == 2


def test_every_problem_of_every_flow_comes_at_once() -> None:
    found = problems_of(task(Numbers()), task(Keep()), task(Numbers(), None, Fussy()))
    assert len(found) == 4


def test_one_input_only_may_read_the_terminal() -> None:
    found = problems_of(task(Keyboard(), Keep()), task(Keyboard(), Keep()))
    assert [problem.what for problem in found] == ["Keyboard: another input reads standard input already"]


def test_a_recipe_that_came_from_the_terminal_leaves_nothing_to_read_there() -> None:
    (problem,) = problems_of(task(Keyboard(), Keep()), file="<stdin>")
    assert problem.what == "Keyboard: standard input held the recipe itself"


def test_a_topology_is_a_value() -> None:
    topology = compiled(task(Chain((Numbers(), Keep()))))
    with pytest.raises(AttributeError):
        topology.flows[0].name = "other"  # type: ignore[misc]
