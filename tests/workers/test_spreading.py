"""Which filters worker processes take over, and what is said when they cannot."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from swak import Event, Filter, in_, main, option, out, running, task
from swak.errors import ConfigError
from swak.outlook import outlook
from swak.recipe import Flow, as_recipe
from swak.topology.compile import compile_recipe
from swak.topology.load import load_text
from tests.faults.flow import Numbers, Pass, Sink
from tests.flows.parts import Mixed
from tests.workers.filters import Counting, Stateful, Trusting

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="workers need sockets that can be inherited")


def stages(flow: Flow) -> list[str]:
    return [stage.name for stage in compile_recipe(as_recipe(flow)).flows[0].stages]


def problem(flow: Flow) -> str:
    with pytest.raises(ConfigError) as caught:
        compile_recipe(as_recipe(flow))
    told = str(caught.value)
    assert told.count("\n") == 0, told
    assert "test_spreading.py:" in told
    return told.partition("  ")[2]


@pytest.mark.parametrize("workers", [None, 0])
def test_without_workers_each_filter_is_a_stage(workers: int | None) -> None:
    assert stages(task(Numbers(1), Pass(), Mixed(), Sink(), workers=workers)) == ["Numbers", "Pass", "Mixed", "Sink"]


def test_the_filters_behind_the_input_become_one_stage() -> None:
    flow = task(Numbers(1), Pass(), Mixed(), Pass(), Sink(), workers=2)
    assert stages(flow) == ["Numbers", "Pass+Mixed+Pass-2", "Sink"]


def test_they_end_where_the_flow_branches() -> None:
    flow = task(Numbers(1), Pass(), [Mixed() | Sink(), Sink()], workers=2)
    graph = compile_recipe(as_recipe(flow)).flows[0]
    assert graph.stages[1].name == "Pass"
    assert graph.stages[1].kind == "workers"
    assert graph.stages[1].outlets == ("Mixed", "Sink-2")


def test_they_end_at_buffers_and_routes() -> None:
    assert stages(task(Numbers(1), Pass(), out.TimedBuffer("1s"), Pass(), Sink(), workers=2))[1:3] == [
        "Pass",
        "TimedBuffer",
    ]
    assert stages(task(Numbers(1), Pass(), {"**": Pass() | Sink()}, workers=2))[1:3] == ["Pass", "ByTag"]


def test_they_end_in_front_of_a_filter_that_keeps_something() -> None:
    flow = task(Numbers(1), Pass(), Stateful(), Mixed(), Sink(), workers=2)
    assert stages(flow) == ["Numbers", "Pass", "Stateful", "Mixed", "Sink"]
    assert outlook(compile_recipe(as_recipe(flow)).flows[0])[:2] == [
        "Pass runs in 2 worker processes; what comes out of them keeps its order.",
        "Stateful and Mixed stay in the agent: Stateful keeps something from one batch to the next.",
    ]


def test_a_recipe_compiled_for_letters_that_go_back_has_every_filter() -> None:
    recipe = as_recipe(task(Numbers(1), Pass(), Mixed(), Sink(), workers=2))
    names = [stage.name for stage in compile_recipe(recipe, spread=False).flows[0].stages]
    assert names == ["Numbers", "Pass", "Mixed", "Sink"]


@pytest.mark.parametrize("workers", [-1, 65, True, False, "2", 1.5, [2]])
def test_what_is_no_number_of_processes_is_refused(workers: Any) -> None:
    assert f"workers={workers!r} is no number of processes" in problem(
        task(Numbers(1), Pass(), Sink(), workers=workers)
    )


def test_main_has_no_workers() -> None:
    told = problem(main(Numbers(1), Pass(), Sink(), workers=2))
    assert told == "main: workers= is for task(...); write task(...), or leave workers out"


def test_workers_need_something_to_do() -> None:
    assert "no filter follows the input" in problem(task(Numbers(1), Sink(), workers=2))
    assert "no filter follows the input" in problem(task(Numbers(1), [Pass() | Sink(), Sink()], workers=2))


def test_a_parser_that_keeps_something_cannot_be_shared() -> None:
    told = problem(task(Numbers(1), out.W3C(fields=["a"]), Sink(), workers=2))
    assert told.startswith("W3C: it keeps something from one batch to the next")


def test_a_filter_that_may_keep_something_has_to_say_so() -> None:
    told = problem(task(Numbers(1), Counting(), Sink(), workers=2))
    assert told.startswith("Counting: it may keep something from one batch to the next, for it has `process`, which")
    assert "`spreads = True`" in told


def test_an_open_of_its_own_may_keep_something() -> None:
    class Opening(Filter):
        """Has an `open`."""

        def open(self) -> None:
            self.seen: set[str] = set()

    with pytest.raises(ConfigError, match="it has `open` of its own"):
        compile_recipe(as_recipe(task(Numbers(1), Opening(), Sink(), workers=2)))


def test_what_is_derived_from_a_trusted_class_is_looked_at_itself() -> None:
    class Derived(Trusting):
        """Sets something else."""

        def process(self, event: Event) -> Event:
            self.last = event
            return event

    with pytest.raises(ConfigError, match="it has `process`, which sets what outlives the call"):
        compile_recipe(as_recipe(task(Numbers(1), Derived(), Sink(), workers=2)))


KEEPERS = {
    "adding": "def process(self, event):\n        self.n += 1\n        return event",
    "an inner function": "def process(self, event):\n        def note():\n            self.n = 1\n        note()",
    "a class method": "@classmethod\n    def note(cls):\n        cls.n = 1",
    "a property": "@property\n    def noted(self):\n        self.n = 1",
    "a global": "def process(self, event):\n        global kept\n        kept = event",
    "taking away": "def process(self, event):\n        del self.n",
    "a setter of its own": "def __init__(self):\n        super().__init__()",
}


@pytest.mark.parametrize("body", KEEPERS.values(), ids=KEEPERS)
def test_ways_to_keep_something_are_seen(body: str) -> None:
    text = f"class Keeps(Filter):\n    {body}\ntask(in_.Counter(1), out.Keeps(), out.Null(), workers=2)\n"
    with pytest.raises(ConfigError, match="it may keep something from one batch to the next"):
        compile_recipe(load_text(text))


def test_changing_an_event_keeps_nothing() -> None:
    text = """
class Mark(Filter):
    def process(self, event):
        def mark(one):
            one.time_ns = 5
        mark(event)
        event.tag = "marked"
        event.record["n"] = 1
        fields = [name for name in event.record if name in event.tag]
        return event
task(in_.Counter(1), out.Mark(), out.Null(), workers=2)
"""
    names = [stage.name for stage in compile_recipe(load_text(text)).flows[0].stages]
    assert names == ["Counter", "Mark", "Null"]


def test_each_built_in_filter_says_whether_it_can_be_shared() -> None:
    from swak.discovery import standard

    said = {one.name: vars(one.plugin).get("spreads") for one in standard() if one.kind == "filter"}
    assert [name for name, word in said.items() if word is None] == []
    assert [name for name, word in said.items() if word is False] == ["W3C"]


class Takes(Filter):
    """Has an option that may be anything."""

    value: object = option("Anything.")

    def process(self, event: Event) -> Event:
        return event


def test_options_that_cannot_travel_are_told_with_their_line() -> None:
    told = problem(task(Numbers(1), Takes(lambda: 1), Sink(), workers=2))
    assert told.startswith("Takes: a worker process cannot make it again: the option value cannot be taken")


def test_a_class_inside_a_function_cannot_be_made_again_elsewhere() -> None:
    class Local(Filter):
        """Of this test."""

        def process(self, event: Event) -> Event:
            return event

    told = problem(task(Numbers(1), Local(), Sink(), workers=2))
    assert "Local: a worker process cannot make it again: its class is not to be found as" in told
    assert "define it at the left margin of its file" in told


def test_nothing_runs_before_such_an_error() -> None:
    source = in_.Memory(["x"])
    with pytest.raises(ConfigError, match="is for task"), running(main(source, Pass(), Sink(), workers=1)):
        raise AssertionError("it runs")


def test_a_wrong_option_is_told_once() -> None:
    text = "task(in_.Counter(1), out.Nginx('x'), out.Null(), workers=2)"
    with pytest.raises(ConfigError) as caught:
        load_text(text)
    assert len(caught.value.problems) == 1
