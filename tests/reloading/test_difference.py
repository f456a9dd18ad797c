from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from swak import failover, in_, main, out, task
from swak.recipe import Flow, Recipe
from swak.reloading.difference import Difference, difference, parent_of
from swak.reloading.sameness import print_of
from swak.topology.compile import compile_recipe
from tests.reloads import names

if TYPE_CHECKING:
    from swak.topology.graph import FlowGraph, Topology


def compiled(*flows: Flow) -> Topology:
    return compile_recipe(Recipe(flows, "test.py"))


def t(*stages: Any, name: str = "t") -> Flow:
    return task(in_.FileTailing("a.log"), *stages, name=name)


def compare(old: Flow | list[Flow], new: Flow | list[Flow], **more: Any) -> Difference:
    before, after = (compiled(*(one if isinstance(one, list) else [one])) for one in (old, new))
    return difference(before, after, print_of, **more)


def null(retry_s: int) -> Any:
    return out.Null(retry_for=retry_s)


def told(found: Difference) -> dict[str, set[str]]:
    sets = {"~": found.changed, ">": found.rewired, "+": found.added, "-": found.removed}
    return {sign: names(keys) for sign, keys in sets.items() if keys}


def test_the_same_recipe_is_no_difference() -> None:
    def made() -> list[Flow]:
        return [
            t(out.Drop("a == 1"), [out.File("a"), out.File("b")]),
            t(out.DiskBuffer("spool"), failover(null(1), null(2), last=null(3)), name="u"),
            t({"a": null(1), "**": null(2)}, name="v"),
        ]

    assert compare(made(), made()).empty


def test_other_options_change_a_stage() -> None:
    assert told(compare(t(out.Drop("a == 1"), null(1)), t(out.Drop("a == 2"), null(1)))) == {"~": {"t/Drop"}}


def test_an_option_that_is_written_in_another_way_is_the_same() -> None:
    assert compare(t(out.Null(retry_for="5m")), t(out.Null(retry_for=300))).empty


def test_who_hands_on_to_one_more_is_rewired() -> None:
    assert told(compare(t(null(1)), t([null(1), null(2)]))) == {">": {"t/FileTailing"}, "+": {"t/Null-2"}}


def test_the_second_of_two_outputs_keeps_its_name_when_the_first_goes() -> None:
    found = compare(t([null(1), null(2)]), t(null(2)))
    assert told(found) == {">": {"t/FileTailing"}, "-": {"t/Null"}}
    assert [stage.name for stage in found.topology.flows[0].stages] == ["FileTailing", "Null-2"]


def test_a_new_stage_gets_a_name_that_nobody_has() -> None:
    gone = {"t": compiled(t([null(7), null(8), null(9)])).flows[0].stages[2:]}
    found = compare(t(null(1)), t([null(1), null(2)]), gone=gone)
    assert told(found)["+"] == {"t/Null-4"}


def test_a_stage_that_comes_back_gets_its_old_name() -> None:
    gone = {"t": compiled(t([null(7), null(8)])).flows[0].stages[2:]}
    found = compare(t(null(1)), t([null(1), null(8)]), gone=gone)
    assert told(found)["+"] == {"t/Null-2"}


def test_outputs_may_change_places() -> None:
    assert (
        compare(t([null(1), null(2), null(3)]), t([null(3), null(1), null(2)])).topology.flows[0].stages[1].name
        == "Null-3"
    )


def test_a_filter_in_between_is_new_and_overtakes_nobody() -> None:
    found = compare(t(out.Drop("a == 1"), null(1)), t(out.Drop("a == 1"), out.Drop("b == 1"), null(1)))
    assert told(found) == {">": {"t/Drop"}, "+": {"t/Drop-2"}}
    assert found.gates == {}


def test_what_comes_past_a_filter_that_goes_waits_for_it() -> None:
    found = compare(t(out.Drop("a == 1"), out.Drop("b == 1"), null(1)), t(out.Drop("a == 1"), null(1)))
    assert told(found) == {">": {"t/Drop"}, "-": {"t/Drop-2"}}
    assert found.gates == {("t", "Null"): frozenset({("t", "Drop-2")})}


def test_filters_that_change_places_are_never_behind_each_other_both_ways() -> None:
    found = compare(t(out.Drop("a == 1"), out.Json(), null(1)), t(out.Json(), out.Drop("a == 1"), null(1)))
    assert len(found.added) == len(found.removed) == 1


def test_a_filter_whose_output_is_fed_past_it_works_off_what_it_has_the_old_way() -> None:
    found = compare(t(out.Drop("a == 1"), [null(1), null(2)]), t([[out.Drop("a == 1"), null(1)][0] | null(1), null(2)]))
    assert told(found)["-"] == {"t/Drop"}
    assert told(found)["+"] == {"t/Drop-2"}
    assert found.gates["t", "Null-2"] == frozenset({("t", "Drop")})


def test_another_file_is_another_input() -> None:
    found = compare(
        task(in_.FileTailing("a.log"), null(1), name="t"), task(in_.FileTailing("b.log"), null(1), name="t")
    )
    assert told(found) == {"+": {"t/FileTailing-2"}, "-": {"t/FileTailing"}}


def test_an_input_with_other_options_goes_on_from_its_positions() -> None:
    new = task(in_.FileTailing("a.log", from_="end"), null(1), name="t")
    assert told(compare(t(null(1)), new)) == {"~": {"t/FileTailing"}}


def test_flows_are_the_same_by_name() -> None:
    found = compare([t(null(1)), t(null(2), name="u")], [t(null(2), name="u"), t(null(3), name="v")])
    assert told(found) == {"+": {"v/FileTailing", "v/Null"}, "-": {"t/FileTailing", "t/Null"}}


def test_a_child_of_a_failover_comes_and_goes() -> None:
    found = compare(t(failover(null(1), null(2))), t(failover(null(2), null(3), start=1)))
    assert told(found) == {"~": {"t/Null"}, ">": {"t/Failover"}}
    assert found.topology.flows[0].stage("Failover").children == ("Null-2", "Null")


def test_a_buffer_on_disk_keeps_its_flow_when_another_one_comes_before_it() -> None:
    old = t(out.DiskBuffer("one"), null(1))
    new = t([out.DiskBuffer("two") | null(2), out.DiskBuffer("one") | null(1)])
    found = compare(old, new)
    assert told(found)[">"] == {"t/FileTailing"}
    flows = {flow.name: [stage.name for stage in flow.stages] for flow in found.topology.flows}
    assert flows["t.DiskBuffer"] == ["DiskBuffer.out", "Null"]
    assert flows["t.DiskBuffer-2"] == ["DiskBuffer-2.out", "Null"]
    assert parent_of(found.topology.flows[1])[0] == "t"


def test_a_change_from_main_to_task_is_shown_by_the_flow() -> None:
    found = compare(t(null(1)), main(in_.FileTailing("a.log"), null(1), name="t"))
    assert found.topology.flows[0].kind == "main"


# Whatever a flow becomes

leaves = st.integers(1, 3).map(lambda number: ("null", number))
filters = st.integers(1, 3).map(lambda number: ("drop", number))
branches = st.recursive(
    leaves, lambda inner: st.one_of(st.tuples(filters, inner), st.lists(inner, min_size=1, max_size=3)), max_leaves=6
)


def built(shape: Any) -> Any:
    if isinstance(shape, list):
        return [built(one) for one in shape]
    if isinstance(shape[0], tuple):
        return built(shape[0]) | _chained(built(shape[1]))
    kind, number = shape
    return null(number) if kind == "null" else out.Drop(f"a == {number}")


def _chained(part: Any) -> Any:
    return part if not isinstance(part, list) else out.Drop("z == 0") | part[0] if len(part) == 1 else _side(part)


def _side(parts: list[Any]) -> Any:
    from swak.recipe import Chain

    return Chain((parts,))


def edges(flow: FlowGraph) -> set[tuple[str, str]]:
    return {(stage.name, name) for stage in flow.stages for name in stage.downstream()}


@settings(max_examples=150, deadline=None)
@given(branches, branches)
def test_any_flow_becomes_any_other_without_a_circle(before: Any, after: Any) -> None:
    old, new = compiled(t(built(before))), compiled(t(built(after)))
    found = difference(old, new, print_of)
    made, wanted = found.topology.flows[0], new.flows[0]
    assert [(one.kind, print_of(one)) for one in made.stages] == [(one.kind, print_of(one)) for one in wanted.stages]
    assert len({one.name for one in made.stages}) == len(made.stages)
    assert len(edges(made)) == len(edges(wanted))
    both = edges(made) | edges(old.flows[0])
    ends = {name for one in (*made.stages, *old.flows[0].stages) for name in (one.name,)}
    while ends:  # upstream first, one after the other: that ends when there is no circle
        free = {name for name in ends if not any(behind == name and ahead in ends for ahead, behind in both)}
        assert free, "a circle"
        ends -= free
    names_before = {one.name for one in old.flows[0].stages}
    names_now = {one.name for one in made.stages}
    assert {name for _, name in found.added} == names_now - names_before
    assert {name for _, name in found.removed} == names_before - names_now
    assert (found.empty) == (not (found.added or found.removed or found.changed or found.rewired))


@settings(max_examples=60, deadline=None)
@given(branches)
def test_any_flow_is_the_same_as_itself(shape: Any) -> None:
    assert compare(t(built(shape)), t(built(shape))).empty
