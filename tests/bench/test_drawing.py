"""Bars."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from swak.bench.drawing import Bar, Section, bars, step


def test_every_bar_is_drawn_as_long_as_its_figure() -> None:
    drawn = ET.fromstring(bars("CPU", "here & now", [Section("W1", [Bar("a", 2, 1, 3), Bar("b<", 4, 4, 4)])]))
    widths = [float(one.get("width", 0)) for one in drawn.iter("{http://www.w3.org/2000/svg}rect")][1:]
    assert round(widths[1] / widths[0], 2) == 2
    assert "b<" in [one.text for one in drawn.iter("{http://www.w3.org/2000/svg}text")]


def test_nothing_to_draw_is_a_drawing_too() -> None:
    assert ET.fromstring(bars("CPU", "", [])).tag.endswith("svg")


@pytest.mark.parametrize(
    ("span", "distance"), [(1, 0.2), (5, 1), (9, 2), (11, 5), (40, 10), (48, 10), (0.03, 0.01), (0, 0)]
)
def test_ticks_are_round_numbers(span: float, distance: float) -> None:
    assert step(span) == pytest.approx(distance, abs=1e-8)
