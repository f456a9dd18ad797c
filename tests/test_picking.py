"""Rules by which events are picked, and that are tried where the records are made."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from swak import in_, main, out, running, task
from swak.formats.json_text import JsonText
from swak.picking import Picker, Rule
from swak.recipe import Place, as_recipe
from swak.topology.compile import compile_recipe
from tests.faults.flow import Pass

if TYPE_CHECKING:
    from swak.topology.graph import Stage


def rule_of(*parts: Any) -> Rule | None:
    """Return the rule by which the first filter of a flow sorts."""
    (graph,) = compile_recipe(as_recipe(task(in_.FileTailing("app.log"), *parts))).flows
    return graph.stages[1].rule


def test_a_filter_sorts_by_the_rule_of_the_next_one_alone() -> None:
    drop, file = out.Drop("status == 404"), out.File("a")
    rule = rule_of(out.Nginx(), drop, out.Reform({"host": "x"}), file)
    assert rule is not None
    assert (rule.key, rule.names, rule.keeps([["404", "200"]])) == ("Drop('status == 404')", ["status"], [False, True])
    assert rule_of(out.Nginx(), out.Reform({"host": "x"}), drop, file) is None
    assert rule_of(out.Nginx(), [drop | file, out.File("b")]) is None
    assert rule_of(out.Nginx(), drop, out.Null()) is None
    assert rule_of(out.Nginx(), Pass(), drop, file) is None


@pytest.mark.parametrize("when", ['matches(path, "(a+)+$")', 'a == 1 or not matches(b, "x")', "5 == 5"])
def test_what_may_take_long_or_looks_at_nothing_is_tried_by_nobody_else(when: str) -> None:
    assert out.Drop(when).rule() is None


def test_a_stage_is_the_same_whatever_rule_the_next_one_has() -> None:
    plugin = out.Nginx()

    def parser(when: str) -> Stage:
        (graph,) = compile_recipe(
            as_recipe(task(in_.FileTailing("app.log"), plugin, out.Drop(when), out.File("a")))
        ).flows
        return replace(graph.stages[1], place=Place(""))

    first, second = parser("status == 404"), parser("status == 200")
    assert first == second
    assert first.rule != second.rule


def test_a_picker_has_no_rule_unless_it_says_so() -> None:
    assert Picker().rule() is None


def test_what_was_sorted_before_it_came_is_not_taken_apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    asked: list[str] = []
    sorted_by = JsonText.sorted_by

    def watched(body: JsonText, key: str) -> list[bool] | None:
        kept = sorted_by(body, key)
        asked.append(key if kept is not None else "not sorted")
        return kept

    monkeypatch.setattr(JsonText, "sorted_by", watched)
    lines = [f"{number} {'a' if number % 3 else 'b'}" for number in range(30)]
    parse = out.Regex(r"(?P<number>\d+) (?P<kind>.)")
    path = tmp_path / "out"
    flow = main(in_.Memory(lines), parse, out.Drop("kind == 'b'"), out.Reform({"host": "x"}), out.File(str(path)))
    with running(flow) as run:
        assert run.wait(20)
    wanted = [f'{{"number":"{number}","kind":"a","host":"x"}}' for number in range(30) if number % 3]
    assert path.read_text().splitlines() == wanted
    assert set(asked) == {"Drop(\"kind == 'b'\")"}
    tallies = {one.stage: one.tally for one in run.snapshot()}
    assert (tallies["Regex"].out, sum(tallies["Drop"].filtered.values()), tallies["File"].into) == (30, 10, 20)
