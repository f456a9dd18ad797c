"""The strokes that drawings are made of, and bars side by side, as SVG."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TICKS = 5
COLORS = ("#1f6fb4", "#d9730d", "#2c8a4b", "#8a4fb0", "#b03a48")
FONT = "font-family='system-ui, sans-serif'"
WIDTH, LEFT, RIGHT, TOP, BAR, GAP = 960, 370, 60, 60, 18, 14


class Bar(NamedTuple):
    """One figure, with its spread."""

    who: str
    median: float
    least: float
    most: float


class Section(NamedTuple):
    """Bars that belong together."""

    title: str
    bars: Sequence[Bar]


def step(span: float) -> float:
    """Return a round distance of ticks, so that about five of them cover the span."""
    rough = max(span, 1e-9) / TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    return power * next(factor for factor in (1, 2, 5, 10) if factor * power >= rough)


def text(x: float, y: float, said: str, *, size: int = 12, anchor: str = "start", color: str = "#333") -> str:
    """Return a text; `anchor` is which end of it stands at x."""
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' font-size='{size}' text-anchor='{anchor}' fill='{color}'>{escape(said)}</text>"
    )


def line(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    """Return a straight line."""
    return f"<line x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}' {style}/>"


def sheet(width: float, height: float, parts: Sequence[str]) -> str:
    """Return a whole drawing, on white."""
    head = f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' width='{width}' {FONT}>"
    return "\n".join([head, f"<rect width='{width}' height='{height}' fill='white'/>", *parts, "</svg>\n"])


def bars(title: str, below: str, sections: Sequence[Section]) -> str:
    """Return bars, group by group from the top, each with its median and a line from the least to the most."""
    every = [bar for section in sections for bar in section.bars]
    tick = step(max((bar.most for bar in every), default=1.0))
    most = tick * math.ceil(max([bar.most for bar in every] + [tick]) / tick)
    height = TOP + len(every) * BAR + len(sections) * GAP + 50
    colors = {who: COLORS[at % len(COLORS)] for at, who in enumerate(dict.fromkeys(bar.who for bar in every))}
    head, foot = text(14, 24, title, size=15), text(14, height - 8, below, size=11)
    return sheet(WIDTH, height, [head, *_axis(tick, most, height), *_sections(sections, most, colors), foot])


def _x(value: float, most: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * max(0.0, value) / most


def _axis(tick: float, most: float, height: float) -> Iterator[str]:
    for count in range(round(most / tick) + 1):
        x = _x(count * tick, most)
        yield line(x, TOP - 12, x, height - 40, "stroke='#ddd'" if count else "stroke='#333'")
        yield text(x, height - 26, f"{count * tick:,.10g}", anchor="middle")


def _sections(sections: Sequence[Section], most: float, colors: dict[str, str]) -> Iterator[str]:
    y = float(TOP)
    for section in sections:
        yield text(LEFT - 80, y + 13, section.title, anchor="end")
        for bar in section.bars:
            end, middle = _x(bar.median, most), y + BAR / 2 - 1
            yield text(LEFT - 8, y + 13, bar.who, anchor="end", color=colors[bar.who])
            size = f"width='{end - LEFT:.1f}' height='{BAR - 4}'"
            yield f"<rect x='{LEFT}' y='{y + 1:.1f}' {size} fill='{colors[bar.who]}' opacity='0.8'/>"
            yield line(_x(bar.least, most), middle, _x(bar.most, most), middle, "stroke='#333'")
            yield text(_x(bar.most, most) + 5, y + 13, f"{bar.median:.2f}")
            y += BAR
        y += GAP
