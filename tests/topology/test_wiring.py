"""How the stages of one flow are laid out, and what cannot be."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from swak import Buffer, Event, Filter, Input, Output, failover, option, task
from swak.errors import ConfigError, Problem
from swak.recipe import Flow, Recipe
from swak.topology.compile import compile_recipe

if TYPE_CHECKING:
    from swak.topology.graph import FlowGraph, Topology


class Numbers(Input):
    """Makes numbers."""


class Upper(Filter):
    """Upper case."""

    def process(self, event: Event) -> Event:
        return event


class Hold(Buffer):
    """Holds."""


class Spool(Buffer):
    """Holds on disk."""

    decouples = True


class Keep(Output):
    """Keeps."""

    path: str = option("Where.", default="here")


def compiled(*flows: Flow, file: str = "") -> Topology:
    return compile_recipe(Recipe(flows, file))


def graph(*parts: Any) -> FlowGraph:
    return compiled(task(*parts)).flows[0]


def edges(flow: FlowGraph) -> list[tuple[str, str]]:
    return [(stage.name, below) for stage in flow.stages for below in stage.downstream()]


def problems_of(*flows: Flow, file: str = "") -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as caught:
        compiled(*flows, file=file)
    return caught.value.problems


def problem_of(*parts: Any) -> Problem:
    (problem,) = problems_of(task(*parts))
    return problem


def test_stages_follow_one_another() -> None:
    flow = graph(Numbers(), Upper(), Hold(), Keep())
    assert edges(flow) == [("Numbers", "Upper"), ("Upper", "Hold"), ("Hold", "Keep")]
    assert [stage.kind for stage in flow.stages] == ["input", "filter", "buffer", "output"]


def test_a_bar_is_the_same_as_two_arguments() -> None:
    assert edges(graph(Numbers() | Upper(), Keep())) == edges(graph(Numbers(), Upper() | Keep()))


def test_a_second_plugin_of_a_class_is_numbered() -> None:
    flow = graph(Numbers(), Upper(), Upper(), [Keep(), Keep()])
    assert [stage.name for stage in flow.stages] == ["Numbers", "Upper", "Upper-2", "Keep", "Keep-2"]


def test_a_list_stands_side_by_side_and_is_no_stage() -> None:
    flow = graph(Numbers(), [Keep(), Upper() | Keep()])
    assert edges(flow) == [("Numbers", "Keep"), ("Numbers", "Upper"), ("Upper", "Keep-2")]


def test_branches_that_end_open_flow_on_together() -> None:
    flow = graph(Numbers(), [Upper(), Hold()], Keep())
    assert edges(flow)[2:] == [("Upper", "Keep"), ("Hold", "Keep")]


def test_a_list_after_a_list_joins_everything_with_everything() -> None:
    flow = graph(Numbers(), [Upper(), Hold()], [Keep(), Keep()])
    assert len(edges(flow)) == 6


def test_a_dict_is_a_stage_by_tag() -> None:
    stage = graph(Numbers(), {"web.**": Upper(), "**": [Hold(), Hold()]}, Keep()).stage("ByTag")
    assert stage.kind == "tags"
    assert stage.routes == (("web.**", ("Upper",)), ("**", ("Hold", "Hold-2")))


def test_nested_branches_all_flow_on() -> None:
    flow = graph(Numbers(), [{"a": Upper(), "b": [Hold(), Upper()]}, Hold()], Keep())
    assert [source for source, below in edges(flow) if below == "Keep"] == ["Upper", "Hold", "Upper-2", "Hold-2"]


def test_upstream_comes_first() -> None:
    flow = graph(Numbers(), [{"a": Upper(), "b": Hold()}, Spool()], Upper(), failover(Keep(), last=Keep()))
    order = [stage.name for stage in flow.stages]
    assert all(order.index(source) < order.index(below) for source, below in edges(flow))
    assert flow.input.name == "Numbers"


def test_a_failover_is_a_stage_with_children() -> None:
    flow = graph(Numbers(), failover(Keep("a"), Keep("b"), last=Keep("c"), start="ip"))
    stage = flow.stage("Failover")
    assert (stage.kind, stage.children, stage.last, stage.start) == ("failover", ("Keep", "Keep-2"), "Keep-3", "ip")
    assert {one.router for one in flow.stages if one.kind == "output"} == {"Failover"}
    assert not stage.outlets


def test_nested_failovers_are_one_ring_with_an_inner_last_after_its_children() -> None:
    inner = failover(Keep("b"), Keep("c"), last=Keep("d"))
    flow = graph(Numbers(), failover(Keep("a"), inner, Keep("e"), last=Keep("f"), start=2))
    stage = flow.stage("Failover")
    paths = [getattr(flow.stage(name).plugin, "path", "") for name in (*stage.children, stage.last or "")]
    assert paths == ["a", "b", "c", "d", "e", "f"]
    assert stage.start == 4, "the third child that was written is the fifth of the ring"


def test_the_start_of_an_inner_failover_counts_when_it_is_the_preferred_one() -> None:
    flow = graph(Numbers(), failover(Keep("a"), failover(Keep("b"), Keep("c"), start=1), start=1))
    assert flow.stage("Failover").start == 2


def test_a_start_that_cannot_count_is_warned_of() -> None:
    topology = compiled(task(Numbers(), failover(failover(Keep("b"), Keep("c"), start="ip"), Keep("a"))))
    assert ["inner failover is not used" in warning for warning in topology.warnings] == [True]


def test_a_flow_without_stages_is_refused() -> None:
    assert problem_of().what == "task has no stages"


def test_a_flow_without_an_output_is_refused() -> None:
    problem = problem_of(Numbers(), Upper())
    assert problem.what == "Upper: the flow ends in a filter, its events go nowhere"
    assert "out.Stdout()" in problem.mend


def test_an_input_alone_is_refused() -> None:
    assert problem_of(Numbers()).what == "Numbers: the flow ends in an input, its events go nowhere"


def test_a_flow_that_begins_with_no_input_is_refused() -> None:
    assert problem_of(Upper(), Keep()).what == "task begins with Upper (a filter), not with an input"


def test_two_inputs_in_one_flow_are_refused() -> None:
    assert problem_of(Numbers(), Numbers(), Keep()).what == "Numbers: an input in the middle of a flow"


def test_inputs_side_by_side_are_refused() -> None:
    problem = problem_of([Numbers(), Numbers()], Keep())
    assert "several inputs are several tasks" in problem.mend


def test_an_input_in_a_branch_is_refused() -> None:
    assert problem_of(Numbers(), [Keep(), Numbers() | Keep()]).what == "Numbers: an input in the middle of a flow"


def test_an_output_in_mid_chain_is_refused() -> None:
    problem = problem_of(Numbers(), Keep(), Upper(), Keep())
    assert problem.what == "Keep: its branch ends in an output, yet Upper (a filter) follows"


def test_nothing_may_follow_branches_that_end_in_outputs() -> None:
    found = problems_of(task(Numbers(), {"a": Keep(), "b": Keep()}, Hold(), Keep()))
    assert [problem.what for problem in found] == [
        "Keep: its branch ends in an output, yet Hold (a buffer) follows",
        "Keep-2: its branch ends in an output, yet Hold (a buffer) follows",
    ]


def test_nothing_may_follow_a_failover() -> None:
    assert problem_of(Numbers(), failover(Keep()), Keep()).what.startswith("Failover: its branch ends in an output")


def test_of_mixed_branches_the_closed_one_is_named_when_something_follows() -> None:
    assert problem_of(Numbers(), [Upper(), Keep()], Keep()).what.startswith("Keep: its branch ends in an output")


def test_of_mixed_branches_the_open_one_is_named_when_nothing_follows() -> None:
    assert problem_of(Numbers(), [Upper(), Keep()]).what.startswith("Upper: the flow ends in a filter")


@pytest.mark.parametrize("pattern", ["{a", 5, ""])
def test_a_malformed_tag_pattern_is_refused(pattern: Any) -> None:
    assert problem_of(Numbers(), {pattern: Keep()}).what.startswith("ByTag: ")


@pytest.mark.parametrize(
    ("child", "what"),
    [
        (Upper(), "failover: Upper (a filter) is no output"),
        (Upper() | Keep(), "failover: a chain is no output"),
        ([Keep()], "failover: a list is no output"),
        (Numbers(), "failover: Numbers (an input) is no output"),
        (Keep, "failover: Keep is a class, not a plugin"),
    ],
)
def test_a_child_that_is_no_output_is_refused(child: Any, what: str) -> None:
    assert problem_of(Numbers(), failover(child)).what == what
    assert problem_of(Numbers(), failover(Keep(), last=child)).what == what


def test_a_last_that_is_a_failover_is_refused() -> None:
    assert "last= takes one output" in problem_of(Numbers(), failover(Keep(), last=failover(Keep()))).mend


def test_what_contains_itself_is_refused() -> None:
    branch: list[Any] = []
    branch.append(branch)
    assert problem_of(Numbers(), branch).what == "a list contains itself"
    ring = failover(Keep())
    ring.children = (ring,)
    assert "failover(...)" in problem_of(Numbers(), ring).what


def test_a_full_branch_that_stops_others_is_warned_of() -> None:
    topology = compiled(task(Numbers(), [Upper() | Keep(), Spool() | Keep()]))
    assert [
        re.search(r"a full branch stops the others: Upper\b(?!,)", warning) is not None for warning in topology.warnings
    ] == [True]


def test_decoupled_branches_are_not_warned_of() -> None:
    assert not compiled(task(Numbers(), [Spool() | Keep(), Spool() | Keep()])).warnings


def test_a_route_that_is_never_reached_is_warned_of() -> None:
    topology = compiled(task(Numbers(), {"**": Spool() | Keep(), "web": Spool() | Keep()}))
    assert ['"web" stands after "**"' in warning for warning in topology.warnings] == [True]
