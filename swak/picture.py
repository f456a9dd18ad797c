"""One picture of the live view: a table of all stages that fits itself to any size of terminal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, NamedTuple

from rich.console import Group
from rich.table import Table
from rich.text import Text

from swak.log import plain
from swak.view import FULL, TROUBLED, bottlenecks, key, passed

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from swak.stats import StageView
    from swak.view import Frame

COLOURS = {
    "opening": "cyan",
    "running": "green",
    "blocked": "yellow",
    "paused": "bold yellow",
    "retrying": "bold red",
    "hung": "bold red",
    "waiting": "bold magenta",
    "failed": "bold white on red",
    "over": "bright_black",
}


def render(frame: Frame) -> RenderableType:
    """Return the picture. It fits itself to whatever size the console has."""
    return _Picture(frame)


class _Picture:
    """Chooses, when it is drawn, the columns and rows that there is room for."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        room = (options.height or console.size.height) - 2  # the header, the heads of the columns
        views, causes = self._frame.views, bottlenecks(self._frame.views)
        with_flow = len({view.flow for view in views}) > 1
        rates = self._frame.rates
        rows = [_Row(view, rates.get(key(view), 0.0), key(view) in causes, with_flow) for view in views]
        shown = _fitting(rows, room)
        parts: list[RenderableType] = [_line(_header(self._frame)), _table(shown, options)]
        if hidden := len(views) - len(shown):
            parts.append(_line(Text(f"+ {hidden} more", style="bright_black")))
        yield Group(*parts)


def _line(text: Text) -> Text:
    text.no_wrap = True
    text.overflow = "crop"
    return text


class _Row(NamedTuple):
    view: StageView
    rate: float
    cause: bool
    with_flow: bool

    @property
    def rank(self) -> int:
        """What is shown first where there is no room for all."""
        return 0 if self.cause else 1 if self.view.state in TROUBLED else 2


def _fitting(rows: list[_Row], room: int) -> list[_Row]:
    """Keep the rows that there is room for, in their order; those in trouble go first."""
    if len(rows) <= room:
        return rows
    numbered = sorted(enumerate(rows), key=lambda one: (one[1].rank, one[0]))
    kept = sorted(numbered[: max(0, room - 1)], key=lambda one: one[0])
    return [row for _, row in kept]


def _header(frame: Frame) -> Text:
    text = Text(plain(frame.recipe), style="bold")
    text.append(f"  up {span(frame.uptime_s)}", style="not bold")
    if frame.process is not None:
        rss_mib = frame.process.rss_bytes / 2**20
        text.append(f"  cpu {frame.process.cpu_percent:.0f}%  memory {rss_mib:.0f} MiB", style="not bold")
    return text


def _table(rows: list[_Row], options: ConsoleOptions) -> Table:
    """Make the table of as many columns as there is room for beside the names, the most telling ones first."""
    unicode = options.encoding.startswith("utf")
    names = [_name(row) for row in rows]
    longest = max([len("stage"), *(name.cell_len for name in names)])
    left = options.max_width
    columns = []
    for column in _COLUMNS:
        room = left - 1 - min(longest, _NAME_CELLS)
        if room < column.width:
            break
        width = max([column.width, *(min(left - 1 - longest, column.widest(row)) for row in rows if column.widest)])
        columns.append((column, width))
        left -= width + 1
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bright_black")
    table.add_column("stage", width=max(1, min(longest, left)), no_wrap=True, overflow="crop")
    for column, width in columns:
        justify: Literal["left", "right"] = "left" if column.left else "right"
        table.add_column(column.head, justify=justify, width=width, no_wrap=True, overflow="crop")
    for row, name in zip(rows, names, strict=True):
        table.add_row(name, *(column.cell(row, unicode) for column, _ in columns))
    return table


def _name(row: _Row) -> Text:
    view = row.view
    text = Text(plain(f"{view.flow}/{view.stage}" if row.with_flow else view.stage), style="bold" if row.cause else "")
    if view.live_child:
        text.append(f" > {plain(view.live_child)}", style="cyan")
    return text


def _state(row: _Row, unicode: bool) -> Text:
    text = Text(row.view.state, style=COLOURS.get(row.view.state, ""))
    if row.view.memory and row.view.state == "blocked":
        text.append(" by memory limit")
    if row.cause:
        text.append(" ◀ bottleneck" if unicode else " < bottleneck", style="bold red")
    return text


def _mailbox(row: _Row, unicode: bool) -> Text:
    cells = 8
    fill = min(1.0, max(0.0, row.view.fill))
    full = math.ceil(fill * cells)
    on, off = ("█", "░") if unicode else ("#", ".")
    colour = "red" if fill >= FULL else "yellow" if fill >= FULL / 2 else "green"
    return Text(on * full, style=colour).append(off * (cells - full), style="bright_black")


def _last_error(row: _Row, _unicode: bool) -> Text:
    return Text(plain(row.view.last_error), style="bright_black")


def _figure(value: str, style: str = "") -> Text:
    return Text(value, style=style)


class _Column(NamedTuple):
    head: str
    width: int
    cell: Callable[[_Row, bool], Text]
    left: bool = False
    widest: Callable[[_Row], int] | None = None
    """Where cells differ much: the width that one would like."""


_NAME_CELLS = 18
"""Names get this much, where they need it, before a further column does."""

_COLUMNS = (
    _Column("state", 8, _state, left=True, widest=lambda row: _state(row, True).cell_len),
    _Column("events/s", 8, lambda row, _: _figure(number(row.rate))),
    _Column("mailbox", 8, _mailbox, left=True),
    _Column("total", 6, lambda row, _: _figure(number(passed(row.view)))),
    _Column("oldest", 6, lambda row, _: _figure("" if row.view.oldest_s is None else span(row.view.oldest_s))),
    _Column("errors", 6, lambda row, _: _figure(number(row.view.errors) if row.view.errors else "", "red")),
    _Column("restarts", 8, lambda row, _: _figure(number(row.view.restarts) if row.view.restarts else "", "magenta")),
    _Column("last error", 24, _last_error, left=True, widest=lambda row: _last_error(row, True).cell_len),
)
"""Beside the name, the most telling first."""


def number(value: float) -> str:
    """Return a figure in at most six characters: 999, 12.3k, 4.56M."""
    if abs(value) < 999.5:
        return f"{value:.0f}"
    for unit in ("k", "M", "G"):
        value /= 1000
        if abs(value) < 999.5:
            return f"{value:#.3g}".rstrip(".") + unit
    return f"{value / 1000:.0f}T"


def span(seconds: float) -> str:
    """Return a length of time in a few characters: 0.2s, 59s, 5m02s, 3h04m, 2d03h."""
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f}s"
    whole = round(seconds)
    for size_s, unit, smaller_s, smaller in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "m"), (60, "m", 1, "s")):
        if whole >= size_s:
            return f"{whole // size_s}{unit}{whole % size_s // smaller_s:02d}{smaller}"
    return f"{whole}s"
