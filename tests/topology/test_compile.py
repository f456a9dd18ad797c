"""From recipes to topologies: names, and what is wrong with all flows together."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from swak import Event, Filter, Input, Output, failover, main, option, out, task
from swak.discovery import StandIn
from swak.errors import ConfigError, Problem
from swak.recipe import Chain, Flow, Recipe
from swak.topology.compile import compile_recipe

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

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


class Reader(Input):
    """Reads files whose names end so."""

    suffix: str = option("How they end.")
    exclude: str = option("What it leaves out.", default="")

    def reads(self, path: str) -> bool:
        return path.endswith(self.suffix)


class Follower(Input):
    """Reads one file, whatever happens."""

    path: str = option("Which.")

    def reads(self, path: str) -> bool:
        return path == self.path


@pytest.mark.parametrize(
    "tail",
    [
        out.File,
        lambda log: [Keep(), Upper() | out.File(log)],
        lambda log: {"web.**": [Keep(), out.File(log)], "**": Keep()},
        lambda log: failover(Keep(), out.File(log)),
        lambda log: failover(Keep(), last=out.File(log)),
        lambda log: failover(failover(Keep(), last=out.File(log)), Keep()),
    ],
    ids=["plain", "list", "dict", "failover", "last", "inner last"],
)
def test_an_output_that_feeds_an_input_is_refused_wherever_it_stands(tail: Callable[[str], Any]) -> None:
    (problem,) = problems_of(task(Reader(".log"), tail("/var/log/all.log")))
    assert problem.what.startswith("File: it writes /var/log/all.log, which Reader (")


def test_the_feedback_is_told_with_both_lines_and_a_mend() -> None:
    source = Reader(".log")
    target = out.File("/var/log/all[1].log")
    (problem,) = problems_of(task(source, target))
    assert (problem.file, problem.line) == (__file__, target.place.line)
    assert f"{__file__}:{source.place.line}" in problem.what
    assert problem.mend == 'write to another path, or keep the pattern off it: exclude="all[[]1].log*"'


def test_an_input_that_can_leave_nothing_out_needs_another_path() -> None:
    (problem,) = problems_of(task(Follower("/var/log/all.log"), out.File("/var/log/all.log")))
    assert problem.mend == "write to another path"


def test_tasks_of_one_recipe_feed_each_other_no_more_than_themselves() -> None:
    first, second = Reader(".log"), Follower("/tmp/a.log")
    found = problems_of(task(first, Keep()), task(second, [out.File("/tmp/a.log"), out.File("/tmp/a.txt")]))
    named = [problem.what.partition("which ")[2].partition(" reads")[0] for problem in found]
    assert named == [f"Reader ({__file__}:{first.place.line})", f"Follower ({__file__}:{second.place.line})"]


def test_a_path_is_compared_as_the_system_sees_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link.txt").symlink_to(tmp_path / "target.log")
    real = os.path.realpath(tmp_path)
    for spelled in ("target.log", "logs/../target.log", "link.txt"):
        (problem,) = problems_of(task(Follower(f"{real}/target.log"), out.File(spelled)))
        assert f"it writes {real}/target.log," in problem.what


def test_what_only_stands_beside_what_is_read_is_fine() -> None:
    assert compiled(task(Reader(".log"), [out.File("/var/log/all.json"), out.Stdout(), out.File("/var/log.d/x")]))


def test_a_plugin_that_cannot_say_what_it_reads_or_writes_hides_no_other_problem() -> None:
    class Broken(Follower):
        def reads(self, path: str) -> bool:
            raise OSError(path)

    class Torn(Output):
        def writes_to(self) -> list[str]:
            raise OSError("no")

    found = problems_of(task(Broken("a"), [out.File("b"), Torn()]), task(Reader("b"), Keep()))
    assert {problem.what.partition(":")[0] for problem in found} == {"Broken", "File", "Torn"}


def test_a_plugin_with_wrong_options_is_not_asked_what_it_writes() -> None:
    target = out.File("/var/log/all.log")
    target.valid = False
    assert compiled(task(Reader(".log"), target))
