"""Drawings of topologies."""

from __future__ import annotations

from typing import Any

import pytest

from swak import Filter, Input, Output, failover, out, task
from swak.recipe import Recipe
from swak.topology.compile import compile_recipe
from swak.topology.text import as_dot, as_mermaid, as_text


class Numbers(Input):
    """Makes numbers."""


class Upper(Filter):
    """Upper case."""


class Keep(Output):
    """Keeps."""


def drawn(*parts: Any, ascii_only: bool = False) -> str:
    return as_text(compile_recipe(Recipe((task(*parts),))), ascii_only=ascii_only)


def test_what_follows_one_another_stands_on_one_line() -> None:
    assert drawn(Numbers(), Upper(), Keep()) == "task-1 (task)\n  Numbers → Upper → Keep\n"


def test_branches_stand_below_with_their_patterns() -> None:
    assert drawn(Numbers(), {"web.**": [Keep(), Upper() | Keep()], "**": Keep()}) == (
        "task-1 (task)\n  Numbers → ByTag\n  ├─ web.**: Keep\n  ├─ web.**: Upper → Keep-2\n  └─ **: Keep-3\n"
    )


def test_branches_of_branches_are_indented() -> None:
    assert drawn(Numbers(), [Upper() | {"a": Keep(), "b": Keep()}, Keep()]) == (
        "task-1 (task)\n  Numbers\n  ├─ Upper → ByTag\n  │  ├─ a: Keep\n  │  └─ b: Keep-2\n  └─ Keep-3\n"
    )


def test_a_join_is_drawn_once_after_its_branches() -> None:
    assert drawn(Numbers(), [Upper(), Upper()], Keep()) == (
        "task-1 (task)\n"
        "  Numbers\n"
        "  ├─ Upper → [Keep]\n"
        "  └─ Upper-2 → [Keep]\n"
        "  [Keep]\n"
    )  # fmt: skip


def test_a_failover_shows_order_start_and_last() -> None:
    assert drawn(Numbers(), failover(Keep(), Keep(), last=Keep(), start="ip")) == (
        "task-1 (task)\n  Numbers → Failover (start: ip)\n  ├─ 1: Keep\n  ├─ 2: Keep-2\n  └─ last: Keep-3\n"
    )


def test_the_start_of_a_failover_that_joins_branches_is_shown_where_it_is_drawn() -> None:
    text = drawn(Numbers(), [Upper(), Upper()], failover(Keep(), Keep(), start=1))
    assert text.count("start: 1") == 1
    assert "\n  [Failover] (start: 1)\n" in text


def test_workers_are_shown_with_their_number() -> None:
    flow = task(Numbers(), out.Json(), out.Drop("n > 1"), Keep(), workers=3)
    text = as_text(compile_recipe(Recipe((flow,))))
    assert "Numbers → Json+Drop (workers: 3) → Keep" in text


def test_a_terminal_without_line_drawing_gets_ascii() -> None:
    assert drawn(Numbers(), [Upper() | Keep(), Keep()], ascii_only=True).isascii()


@pytest.mark.parametrize("draw", [as_mermaid, as_dot])
def test_every_stage_edge_and_pattern_is_in_the_chart(draw: Any) -> None:
    text = draw(compile_recipe(Recipe((task(Numbers(), {'a"b.**': Upper(), "**": Upper()}, Keep()),))))
    assert all(name in text for name in ("task-1 (task)", "Numbers", "ByTag", "Upper-2", "Keep"))
    assert text.count("-->" if draw is as_mermaid else "->") == 5
    assert ("a#quot;b.**" if draw is as_mermaid else 'a\\"b.**') in text
