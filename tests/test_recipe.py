from __future__ import annotations

from contextvars import copy_context
from typing import Any

import pytest

from swak import recipe
from swak.errors import ConfigError
from swak.recipe import Chain, Flow, Recipe, as_recipe, failover, main, task
from swak.testing import Recorder


class Part(Recorder):
    """Anything that may stand in a chain."""


def test_a_pipe_is_the_same_as_two_arguments() -> None:
    a, b, c = Part(), Part(), Part()
    assert task(a | b | c).parts == task(a, b, c).parts == (a, b, c)


def test_pipes_take_lists_and_dicts_on_either_side() -> None:
    a, b = Part(), Part()
    routes: dict[str, Any] = {"**": b}
    assert (a | [b]).parts == (a, [b])
    assert ([b] | a).parts == ([b], a)
    assert (a | routes).parts == (a, routes)


def test_a_chain_inside_of_the_arguments_is_laid_flat() -> None:
    a, b, c = Part(), Part(), Part()
    assert task(a, b | c).parts == (a, b, c)


def test_a_flow_knows_its_kind_its_name_and_its_line() -> None:
    flow = main(Part(), name="web")
    assert (flow.kind, flow.name) == ("main", "web")
    assert flow.place.file == __file__
    assert task(Part()).place.line == flow.place.line + 3


def test_flows_are_collected_in_order_while_a_recipe_is_loaded() -> None:
    collected: list[Flow] = []

    def load() -> None:
        recipe.COLLECTED.set(collected)
        task(Part(), name="one")
        main(Part(), name="two")

    copy_context().run(load)
    assert [flow.name for flow in collected] == ["one", "two"]


def test_whatever_declares_flows_becomes_a_recipe() -> None:
    flow = task(Part())
    made = as_recipe(Chain((Part(), Part())))
    assert as_recipe(flow).flows == as_recipe([flow]).flows == as_recipe(Recipe((flow,))).flows == (flow,)
    assert [one.kind for one in made.flows] == ["task"]


@pytest.mark.parametrize("start", ["ip", "random", 0, 1])
def test_a_failover_starts_where_it_is_told(start: Any) -> None:
    assert failover(Part(), Part(), start=start).start == start


@pytest.mark.parametrize("start", ["IP", 2, -1, True, None, 0.0, ["ip"]])
def test_a_start_that_names_no_output_is_refused(start: Any) -> None:
    with pytest.raises(ConfigError, match="names no output; write start="):
        failover(Part(), Part(), start=start)


def test_a_failover_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="no output is given"):
        failover()
