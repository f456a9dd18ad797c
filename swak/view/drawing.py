"""One picture of the live view: lines that fit a terminal of any size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len

from swak.view import columns, panes
from swak.view.cells import BAD, DIM, GOOD, LIVE, STRONG, WARN, Line, Pen, cropped, packed, wrapped
from swak.view.model import SILENT_S, bottlenecks, totals, troubles
from swak.view.units import number, rate, size, span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text

    from swak.stats import StageView
    from swak.view.choices import Choices
    from swak.view.columns import Row
    from swak.view.model import Frame, Totals, Trouble
    from swak.view.panes import Scene

NARROW = 46
"""Below this width a table says little: names, states and rates, and a second line where there is room."""
TINY_COLUMNS, TINY_LINES = 14, 6
"""Below either, there is no table: the total rate, and what is wrong."""
PANE_LINES_MIN = 4
LEVELS = {"bad": BAD, "warn": WARN, "note": DIM}


def draw(scene: Scene) -> list[Line]:
    """Return at most as many lines as the window has, of at most as many cells."""
    small = scene.width < TINY_COLUMNS or scene.height < TINY_LINES
    lines = _tiny(scene) if small else _picture(scene)
    return [cropped(line, scene.width) for line in lines[: scene.height]]


def as_text(lines: Sequence[Line]) -> Text:
    """Return lines as Rich prints them."""
    from rich.text import Text  # noqa: PLC0415 - for a picture that is printed once

    return Text("\n", no_wrap=True, overflow="crop").join(
        Text.assemble(*((text, style) for text, style in line)) for line in lines
    )


def _tiny(scene: Scene) -> list[Line]:
    """Return what matters most: how much flows, what is wrong, how far behind it is."""
    frame, _, width, height, pen, _ = scene
    total = totals(frame)
    found = [one for one in troubles(frame) if one.level != "note"]
    lines: list[Line] = [[(rate(total.into), STRONG)]]
    if found:
        if height == 1 or width < 4:
            lines = [[(pen.sign("✖", "x"), LEVELS[found[0].level]), (" ", ""), *lines[0]]]
        for one in found[: max(1, height // 2)]:
            room = max(1, height - len(lines))
            text = pen.clean(one.short)
            lines += [[(part, LEVELS[one.level])] for part in wrapped(text, width, min(2, room), pen)]
    else:
        lines.append([("all well", GOOD)])
    if total.oldest_s is not None and total.oldest_s >= 1:
        lines.append([(f"old {span(total.oldest_s)}", "")])
    if total.lag_bytes:
        lines.append([(f"lag {size(total.lag_bytes)}", "")])
    return lines


def _picture(scene: Scene) -> list[Line]:
    frame, choices, width, height, pen, extras = scene
    top = _header(frame, width, height, pen)
    top += _troubles(troubles(frame), width, height, pen)
    foot = [_foot(scene)] if (choices.has_keys or extras.notice) and height >= 8 else []
    room = height - len(top) - len(foot)
    if choices.helping:
        return _filled(top, panes.helped(scene, room), foot, height)
    views = choices.chosen(frame)
    double = width < NARROW and 1 + 2 * len(views) <= room
    wanted = 1 + len(views) * (2 if double else 1)
    tapping = choices.tapped is not None
    pane_room = max(room - wanted, room // 2) if tapping else room - wanted
    pane: list[Line] = []
    if pane_room >= PANE_LINES_MIN and (tapping or choices.has_keys or extras.log):
        pane = _pane(scene, views, pane_room)
    table = _table(scene, views, room - len(pane), double=double)
    gap: list[Line] = [[]] if pane and len(table) + len(pane) < room else []
    return _filled(top, [*table, *gap, *pane], foot, height)


def _filled(top: list[Line], body: list[Line], foot: list[Line], height: int) -> list[Line]:
    empty: list[Line] = [[] for _ in range(height - len(top) - len(body) - len(foot))] if foot else []
    return [*top, *body, *empty, *foot]


def _header(frame: Frame, width: int, height: int, pen: Pen) -> list[Line]:
    look = frame.look
    recipe = pen.clean(frame.recipe)
    if cell_len(recipe) > width // 2:  # of a path, the end tells more
        recipe = recipe.replace("\\", "/").rpartition("/")[2]
    title: list[Line] = [[(recipe, STRONG), (f"  up {span(look.uptime_s)}", "")]]
    if look.draining:
        title.append([("draining", "bold yellow")])
    if look.silent_s >= SILENT_S:
        title.append([("no answer", BAD)])
    if look.process is not None and height > 8:
        cpu, memory = f"cpu {look.process.cpu_percent:.0f}%", f"memory {size(look.process.rss_bytes)}"
        title.append([(f"{cpu}  {memory}", "")])
    lines = packed(title, width)
    lines += packed(_totals(totals(frame), width, pen), width)
    return lines[: max(2, height // 4)]


def _totals(total: Totals, width: int, pen: Pen) -> list[Line]:
    trend: Line = [(" " + pen.spark(total.trend, 15 if width >= 100 else 10), LIVE)] if width >= NARROW else []
    pieces: list[Line] = [
        [("in ", DIM), (rate(total.into), STRONG), *trend],
        [("out ", DIM), (rate(total.out), STRONG)],
    ]
    oldest_s = total.oldest_s or 0.0
    pieces.append([("oldest ", DIM), (span(oldest_s), WARN if oldest_s >= 60 else "")])
    if total.has_lag:
        pieces.append([("lag ", DIM), (size(total.lag_bytes), "")])
    if total.dead:
        pieces.append([("dead ", DIM), (number(total.dead), "red")])
    if total.errors:
        pieces.append([("errors ", DIM), (number(total.errors), "red")])
    return pieces


def _troubles(found: Sequence[Trouble], width: int, height: int, pen: Pen) -> list[Line]:
    lines_max = max(1, min(height // 6, 8))
    shown = [one for one in found if one.level != "note" or height >= 30][:lines_max]
    if not any(one.level != "note" for one in found):
        well: Line = [(pen.sign("✔", "+") + " all well", GOOD)]
        shown = [one for one in shown if one.level == "note"][: lines_max - 1]
        lines = [well]
    else:
        lines = []
    more = len([one for one in found if one.level != "note"]) - len([one for one in shown if one.level != "note"])
    for one in shown:
        sign = {"bad": pen.sign("✖", "x"), "warn": pen.sign("▲", "!"), "note": "-"}[one.level]
        each = max(1, lines_max // len(shown)) if width < 80 else 1
        for number_, part in enumerate(wrapped(pen.clean(one.text), width - 2, each, pen)):
            lines.append([(f"{sign} " if not number_ else "  ", LEVELS[one.level]), (part, LEVELS[one.level])])
    if more > 0 and lines:
        told = f" (+{more})"
        lines[-1] = [*cropped(lines[-1], width - len(told)), (told, DIM)]
    return lines


def _table(scene: Scene, views: Sequence[StageView], room: int, *, double: bool) -> list[Line]:
    """Return heads and rows; where there is no room for all, those around the selected one, or those in trouble."""
    frame, choices, width, _, pen, _ = scene
    indent = choices.sort == "flow" and not choices.filter
    with_flow = width >= NARROW and len({view.flow for view in frame.views}) > 1
    rows = columns.rows_of(frame, views, bottlenecks(frame.views), pen, indent=indent, with_flow=with_flow)
    names, chosen = columns.layout(rows, width)
    lines = [columns.head(names, chosen, choices.sort, pen)]
    capacity = max(1, (room - 1) // (2 if double else 1))
    selected = choices.row(views) if choices.has_keys and views else -1
    shown = _scrolled(rows, choices, selected, capacity) if choices.has_keys else _foremost(rows, capacity)
    for row in shown:
        lines.append(columns.cells(row, names, chosen, pen, selected=selected >= 0 and row is rows[selected]))
        if double:
            lines.append(columns.card(row, width, pen))
    if not rows and frame.views:
        lines.append([(f'no stage has "{pen.clean(choices.filter)}"', DIM)])
    hidden = len(rows) - len(shown)
    if hidden and room >= 3:
        lines[room - 1 :] = [[(f"  {pen.sign('…', '...')} {hidden + len(lines) - room + 1} more of {len(rows)}", DIM)]]
    return lines


def _scrolled(rows: Sequence[Row], choices: Choices, selected: int, capacity: int) -> Sequence[Row]:
    """Return the rows of a page that has the selected one on it; the last line tells how many more there are."""
    if len(rows) <= capacity:
        choices.top, choices.page = 0, capacity
        return rows
    fits = choices.page = max(1, capacity - 1)
    choices.top = min(max(choices.top, selected - fits + 1), selected, len(rows) - fits)
    choices.top = max(0, choices.top)
    return rows[choices.top : choices.top + fits]


def _foremost(rows: Sequence[Row], room: int) -> Sequence[Row]:
    """Keep the rows that there is room for, in their order; those in trouble go first."""
    if len(rows) <= room:
        return rows
    numbered = sorted(enumerate(rows), key=lambda one: (one[1].rank, one[0]))
    return [row for _, row in sorted(numbered[: max(1, room - 1)], key=lambda one: one[0])]


def _pane(scene: Scene, views: Sequence[StageView], room: int) -> list[Line]:
    """Return what stands below the table: the tap, or more of the selected stage, and the log."""
    frame, choices, width, _, pen, extras = scene
    if choices.tapped is not None:
        return panes.tapped(scene, room)
    lines: list[Line] = []
    if choices.has_keys and views:
        lines = panes.detail(frame, views[choices.row(views)], width, pen)[:room]
    left = room - len(lines)
    if extras.log and left >= 3:
        kept = list(extras.log)[-min(left - 1, 6) :]
        lines += panes.logged(kept, width, pen)
    return lines


def _foot(scene: Scene) -> Line:
    _, choices, width, _, pen, extras = scene
    if choices.editing:
        shown = pen.clean(choices.filter)
        while cell_len(shown) > max(0, width - 10):
            shown = shown[1:]
        return [("filter: ", STRONG), (shown, ""), ("_", STRONG)]
    if extras.notice:
        return [(pen.clean(extras.notice), STRONG)]
    hints = [("q", choices.leaving if width >= NARROW else "quit"), ("?", "help"), ("s", f"sort:{choices.sort}")]
    hints.append(("/", f"filter:{pen.clean(choices.filter)}" if choices.filter else "filter"))
    hints += [("p", "pause"), ("esc", "leave the tap") if choices.tapped is not None else ("t", "tap")]
    hints.append((pen.sign("↑↓", "jk"), "select"))
    line: Line = []
    for name, what in hints:
        piece: Line = [(name, "bold cyan"), (f" {what}  ", "")]
        if sum(cell_len(text) for text, _ in (*line, *piece)) > width + 2:
            break
        line += piece
    return line
