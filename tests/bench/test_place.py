"""Where runs take place, and how swak runs a workload there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from swak.bench.corpus import Corpus
from swak.bench.place import Place, swak
from swak.bench.workloads import ALL
from swak.topology.compile import compile_recipe
from swak.topology.load import load_file

if TYPE_CHECKING:
    from pathlib import Path

    from swak.bench.workloads import Workload


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path / "a place's run", Corpus(tmp_path / "corpus", 10))
    made.clear()
    return made


@pytest.mark.parametrize("workload", ALL, ids=lambda one: one.name)
def test_the_recipe_of_a_workload_compiles_and_names_its_outputs(workload: Workload, place: Place) -> None:
    agent = swak(workload, place, 24224)
    assert compile_recipe(load_file(agent.command[-1])).flows
    text = (place.state / "recipe.py").read_text(encoding="utf-8")
    assert "$" not in text.replace("${hostname}", "")
    if workload.to == "file":
        assert all(repr(str(out)) in text for out in place.outs(workload))


def test_a_run_that_listens_does_not_end_by_itself(place: Place) -> None:
    assert [one.name for one in ALL if not swak(one, place, 1).ends] == ["W4", "W4p", "W5b"]


def test_what_the_run_before_has_left_is_removed(place: Place) -> None:
    (place.out / "out").write_text("old", encoding="utf-8")
    (place.state / "spool").mkdir()
    place.clear()
    assert [*place.out.iterdir(), *place.state.iterdir()] == []
