"""The table of the live view: which columns there is room for, and what stands in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len

from swak.view.cells import BAD, DIM, LIVE, STRONG, WARN, Line, Pen, Span, length
from swak.view.model import TREND_S, TROUBLED, key, passed
from swak.view.units import number, rate, size, span

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from swak.stats import StageView
    from swak.view.model import Figures, Frame, Key

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
NAME_CELLS = 20
"""Names get this much, where they need it, before a further column does."""
NAME_CELLS_MAX = 40
MARK_CELLS = 3
NOTE_CELLS = 30


class Row(NamedTuple):
    """A stage, with what belongs in its row."""

    view: StageView
    figures: Figures
    rate: float
    trend: Sequence[float]
    cause: bool
    name: str
    note: Span

    @property
    def rank(self) -> int:
        """What is shown first where there is no room for all."""
        return 0 if self.cause else 1 if self.view.state in TROUBLED else 2


class Column(NamedTuple):
    """One column: its head, its width in cells, what stands in it."""

    head: str
    width: int
    cell: Callable[[Row, Pen, int], Line]
    right: bool = False
    wanted: Callable[[Row], bool] | None = None
    """The column is left out unless this holds for some row."""


def rows_of(
    frame: Frame, views: Sequence[StageView], causes: set[Key], pen: Pen, *, indent: bool, with_flow: bool
) -> list[Row]:
    """Return the rows of these stages. `indent`: what a failover chooses among stands below it."""
    live = {(view.flow, view.live_child): view.stage for view in frame.views if view.live_child}
    found = []
    for view in views:
        figures = frame.figures(view)
        name = pen.clean(f"{view.flow}/{view.stage}" if with_flow else view.stage)
        if indent and figures.router:
            name = pen.sign("└ ", "- ") + pen.clean(view.stage)
        cause = key(view) in causes
        note = _note(view, figures, pen, cause=cause, is_live=key(view) in live)
        found.append(Row(view, figures, frame.rate(view), frame.trends.get(key(view), ()), cause, name, note))
    return found


def _note(view: StageView, figures: Figures, pen: Pen, *, cause: bool, is_live: bool) -> Span:
    if cause:
        return pen.clean(f"bottleneck {view.last_error}".rstrip()), BAD
    if view.down_s is not None:
        return pen.clean(f"down {span(view.down_s)}: {view.last_error}"), "red"
    if figures.children:
        down = f", {len(figures.down)} of {len(figures.children)} down" if figures.down else ""
        return pen.clean(f"uses {view.live_child or 'none yet'}{down}"), WARN if down else LIVE
    if view.memory:
        return pen.clean(view.memory), WARN
    if spool := figures.spool:
        oldest = f", oldest {span(spool.oldest_s)}" if spool.oldest_s else ""
        return f"{number(spool.batches)} batches{oldest}", LIVE
    if is_live:
        return "in use", LIVE
    if figures.router:
        return "stands by", DIM
    return pen.clean(view.last_error), DIM


def layout(rows: Sequence[Row], width: int) -> tuple[int, list[Column]]:
    """Return how many cells names get, and the columns that there is room for, the most telling ones first chosen."""
    longest = max([5, *(cell_len(row.name) for row in rows)])
    names = min(longest, NAME_CELLS, max(1, width - MARK_CELLS - _RATE.width - 1))
    left = width - MARK_CELLS - names
    chosen = []
    for column in _CHOICE:
        if column.wanted is not None and not any(column.wanted(row) for row in rows):
            continue
        if left < column.width + 1:
            if column in _FIRST:
                break  # what is less telling must not stand where this does not
            continue
        chosen.append(column)
        left -= column.width + 1
    more = min(left, min(longest, NAME_CELLS_MAX) - names)
    names, left = names + more, left - more
    if _TREND in chosen and left >= TREND_S:
        chosen[chosen.index(_TREND)] = _TREND._replace(width=TREND_S)
        left -= TREND_S - _TREND.width
    if _NOTE in chosen:
        chosen[chosen.index(_NOTE)] = _NOTE._replace(width=_NOTE.width + left)
    names = max(0, min(names, width - MARK_CELLS)) if not chosen else names
    return names, sorted(chosen, key=lambda one: _HEADS.index(one.head))


def head(names: int, columns: Sequence[Column], sort: str, pen: Pen) -> Line:
    """Return the line of heads; the one that rows are sorted by is marked."""
    by = {"rate": "rate", "lag": "lag", "mailbox": "mailbox", "name": "stage"}.get(sort)
    arrow = pen.sign("▾", "v")
    line: Line = [(" " * MARK_CELLS, ""), (pen.fit("stage" + (arrow if by == "stage" else ""), names), DIM)]
    for one in columns:
        text = one.head + (arrow if by == one.head else "")
        line.append((" " + pen.fit(text, one.width, right=one.right), DIM))
    return line


def cells(row: Row, names: int, columns: Sequence[Column], pen: Pen, *, selected: bool) -> Line:
    """Return a row's line."""
    state = row.view.state
    mark = pen.sign("●", "*") if state not in {"over", "opening"} else pen.sign("○", "o")
    line: Line = [
        (pen.sign("▸", ">") if selected else " ", STRONG),
        (mark + " ", "red" if row.cause else COLOURS.get(state, "").replace(" on red", "")),
        (pen.fit(row.name, names), "bold reverse" if selected else BAD if row.cause else ""),
    ]
    for column in columns:
        line.append((" ", ""))
        line += column.cell(row, pen, column.width)
    return line


def card(row: Row, width: int, pen: Pen) -> Line:
    """Return the second line of a stage where the window is narrow and high: what the first had no room for."""
    curve, bar = (5, 3) if width < 30 else (10, 6)
    trend = pen.spark(row.trend, curve).rjust(curve)
    parts: Line = [(" " * MARK_CELLS, ""), (trend, LIVE if row.rate else DIM), (" ", "")]
    if row.view.kind != "input":
        parts += [*pen.bar(row.view.fill, bar), (" ", "")]
    text, style = row.note
    if row.figures.lags:
        text, style = f"lag {size(row.figures.lag_bytes)}", ""
    elif row.view.state not in {"running", "retrying"} and not text:
        text, style = row.view.state, COLOURS.get(row.view.state, "")
    return [*parts, (pen.fit(text, max(0, width - length(parts))), style)]


def _state(row: Row, pen: Pen, width: int) -> Line:
    return [(pen.fit(row.view.state, width), COLOURS.get(row.view.state, ""))]


def _rate(row: Row, pen: Pen, width: int) -> Line:
    return [(pen.fit(rate(row.rate), width, right=True), "" if row.rate else DIM)]


def _trend(row: Row, pen: Pen, width: int) -> Line:
    return [(pen.fit(pen.spark(row.trend, width), width), LIVE if row.rate else DIM)]


def _mailbox(row: Row, pen: Pen, width: int) -> Line:
    return [(" " * width, "")] if row.view.kind == "input" else pen.bar(row.view.fill, width)


def _figure(text: Callable[[Row], str], style: str = "") -> Callable[[Row, Pen, int], Line]:
    return lambda row, pen, width: [(pen.fit(text(row), width, right=True), style)]


def _oldest(row: Row) -> str:
    return span(row.view.oldest_s or 0.0) if row.view.kind == "input" else ""


def _spool(row: Row) -> str:
    return size(row.figures.spool.size_bytes) if row.figures.spool is not None else ""


def _count(value: int) -> str:
    return number(value) if value else ""


def _dead(row: Row) -> int:
    return row.view.tally.dead.total()


_TREND = Column("last 30 s", 10, _trend)
_NOTE = Column("note", NOTE_CELLS, lambda row, pen, width: [(pen.fit(row.note[0], width), row.note[1])])
_STATE = Column("state", 8, _state)
_RATE = Column("rate", 8, _rate, right=True)
_MAILBOX = Column("mailbox", 8, _mailbox)
_LAG = Column(
    "lag",
    7,
    _figure(lambda row: size(row.figures.lag_bytes) if row.figures.lags else ""),
    right=True,
    wanted=lambda row: bool(row.figures.lags),
)
_OLDEST = Column("oldest", 6, _figure(_oldest), right=True)
_SPOOL = Column("spool", 7, _figure(_spool), right=True, wanted=lambda row: row.figures.spool is not None)
_DEAD = Column("dead", 6, _figure(lambda row: _count(_dead(row)), "red"), right=True, wanted=lambda row: _dead(row) > 0)
_ERRORS = Column(
    "errors", 6, _figure(lambda row: _count(row.view.errors), "red"), right=True, wanted=lambda row: row.view.errors > 0
)
_RESTARTS = Column(
    "restarts",
    8,
    _figure(lambda row: _count(row.view.restarts), "magenta"),
    right=True,
    wanted=lambda row: row.view.restarts > 0,
)
_TOTAL = Column("total", 6, _figure(lambda row: number(passed(row.view))), right=True)

_FIRST = (_RATE, _STATE, _MAILBOX)
_CHOICE = (*_FIRST, _LAG, _TREND, _OLDEST, _DEAD, _ERRORS, _NOTE, _SPOOL, _RESTARTS, _TOTAL)
"""The most telling first."""
_HEADS = [one.head for one in (_STATE, _RATE, _TREND, _MAILBOX, _OLDEST, _LAG, _SPOOL, _DEAD, _ERRORS, _RESTARTS)]
_HEADS += [_TOTAL.head, _NOTE.head]
"""In the order in which they stand."""
