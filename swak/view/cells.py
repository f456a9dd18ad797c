"""Text for a terminal: spans in a style, cut and filled to a number of cells; bars and sparklines."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len, set_cell_size

from swak.log import plain
from swak.view.model import FULL, TREND_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Span = tuple[str, str]
"""Text, and its style as Rich writes it."""
Line = list[Span]

DIM, GOOD, WARN, BAD, LIVE, STRONG = "bright_black", "green", "yellow", "bold red", "cyan", "bold"

_STEPS = ("▁▂▃▄▅▆▇", ".:-=+*#")
"""Heights of a sparkline. None is so high that it touches the line above."""


class Pen(NamedTuple):
    """What the terminal can show."""

    encoding: str = "utf-8"

    @property
    def unicode(self) -> bool:
        """Whether it shows more than letters."""
        return self.encoding in {"utf-8", "UTF-8", "utf8"} or self.encoding.lower().startswith("utf")

    def clean(self, text: str) -> str:
        """Return foreign text as one line that moves no cursor, in characters that the terminal has."""
        text = plain(text)
        return text if self.unicode else text.encode(self.encoding, "backslashreplace").decode(self.encoding)

    def sign(self, nice: str, simple: str) -> str:
        """Return one of two ways to write the same."""
        return nice if self.unicode else simple

    def fit(self, text: str, width: int, *, right: bool = False) -> str:
        """Return text of exactly `width` cells. What is cut off is shown as cut off."""
        if text.isascii():
            if len(text) <= width:
                return text.rjust(width) if right else text.ljust(width)
        elif (length := cell_len(text)) <= width:
            return " " * (width - length) + text if right else text + " " * (width - length)
        if width <= 1:
            return set_cell_size(text, max(0, width))
        kept = set_cell_size(text, width - 1).rstrip()
        return kept + self.sign("…", "~") + " " * (width - 1 - cell_len(kept))

    def bar(self, fill: float, cells: int) -> Line:
        """Return a bar that is full at 1. What is no number is none."""
        fill = min(1.0, max(0.0, fill)) if fill == fill else 0.0  # noqa: PLR0124 - NaN only
        full = math.ceil(fill * cells)
        style = "red" if fill >= FULL else WARN if fill >= FULL / 2 else GOOD
        on, off = ("━", "─") if self.unicode else ("#", ".")
        return [(on * full, style), (off * (cells - full), DIM)]

    def spark(self, values: Sequence[float], cells: int) -> str:
        """Return a line of little bars, the highest as high as can be; the latest value stands right."""
        steps = _STEPS[0] if self.unicode else _STEPS[1]
        points = _merged(values, cells)
        most = max(points, default=0.0)
        if most <= 0:
            return " " * (cells - len(points)) + steps[0] * len(points)
        highest = len(steps) - 1
        bars = "".join(steps[0 if one <= 0 else max(1, round(one / most * highest))] for one in points)
        return " " * (cells - len(points)) + bars


def _merged(values: Sequence[float], cells: int) -> list[float]:
    """Return at most `cells` means of neighbours, the groups counted from the latest value."""
    if not values or cells < 1:
        return []
    group = max(1, math.ceil(TREND_S / cells))
    if group == 1:
        return list(values[-cells:])
    found = []
    for end in range(len(values), 0, -group):
        part = values[max(0, end - group) : end]
        found.append(sum(part) / len(part))
    return found[:cells][::-1]


def length(line: Iterable[Span]) -> int:
    """Return how many cells a line takes."""
    return sum(len(text) if text.isascii() else cell_len(text) for text, _ in line)


def cropped(line: Line, width: int) -> Line:
    """Return the line without what is beyond `width` cells."""
    if length(line) <= width:
        return line
    left = width
    found: Line = []
    for text, style in line:
        taken = len(text) if text.isascii() else cell_len(text)
        if taken > left:
            found.append((set_cell_size(text, left), style))
            break
        found.append((text, style))
        left -= taken
    return [span for span in found if span[0]]


def packed(pieces: Iterable[Line], width: int, gap: int = 2) -> list[Line]:
    """Lay pieces side by side, as many to a line as there is room for."""
    lines: list[Line] = []
    for piece in pieces:
        if lines and length(lines[-1]) + gap + length(piece) <= width:
            lines[-1] = [*lines[-1], (" " * gap, ""), *piece]
        else:
            lines.append(piece)
    return [cropped(line, width) for line in lines]


def wrapped(text: str, width: int, lines_max: int, pen: Pen) -> list[str]:
    """Break text between words; a word that is longer than a line is cut. The last line shows that there is more."""
    found = [""]
    words = text.split(" ")
    for number, word in enumerate(words):
        joined = f"{found[-1]} {word}".strip()
        if cell_len(joined) <= width or not found[-1]:
            found[-1] = joined
        elif len(found) < lines_max:
            found.append(word)
        else:
            found[-1] = " ".join([found[-1], *words[number:]])
            break
    return [pen.fit(line, width).rstrip() if cell_len(line) > width else line for line in found]
