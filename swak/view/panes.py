"""What stands below the table of stages: more about one of them, its last events, or help."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len, chop_cells

from swak.view.cells import BAD, DIM, STRONG, Line, Pen, packed, wrapped
from swak.view.choices import HELP
from swak.view.model import key
from swak.view.units import brief, number, size, span

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from swak.stats import StageView
    from swak.view.choices import Choices
    from swak.view.model import Delay, Frame

LAGS_MAX = 6
"""Files whose lag is shown, those with the greatest."""

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_MOMENT = re.compile(r"^\d{4}-\d\d-\d\dT(\d\d:\d\d:\d\d)\.\d+Z")


class Extras(NamedTuple):
    """What is shown besides the figures."""

    tapped: Sequence[str] = ()
    """The last events of the stage that is tapped, the latest one last."""
    left_out: int = 0
    log: Sequence[str] = ()
    """The last lines of the log."""
    notice: str = ""
    """The answer to the last key."""


class Scene(NamedTuple):
    """Everything that decides on a picture."""

    frame: Frame
    choices: Choices
    width: int
    height: int
    pen: Pen
    extras: Extras = Extras()


def rule(title: str, width: int, pen: Pen) -> Line:
    """Return a line across the window with a title in it."""
    dash = pen.sign("─", "-")
    return [(dash * 2 + " ", DIM), (title, STRONG), (" " + dash * max(0, width - cell_len(title) - 4), DIM)]


def logged(lines: Sequence[str], width: int, pen: Pen) -> list[Line]:
    """Return the last lines of the log: without their colours, and with the time of day only."""
    shown = [_MOMENT.sub(r"\1", _COLOURS.sub("", line)) for line in lines]
    return [rule("log", width, pen), *([(pen.clean(line), DIM)] for line in shown)]


def helped(scene: Scene, room: int) -> list[Line]:
    """Return what the keys do."""
    _, choices, width, _, pen, _ = scene
    longest = max(len(keys) for keys, _ in HELP)
    lines = [rule("keys", width, pen)]
    for keys, what in HELP:
        text = choices.leaving if keys == "q" else what
        if width >= 50:
            lines.append([(f"  {keys:{longest}}  ", "bold cyan"), (text, "")])
        else:
            lines.append([(keys, "bold cyan"), (f" {text}", "")])
    return lines[:room]


def tapped(scene: Scene, room: int) -> list[Line]:
    """Return the last events of the stage that is tapped, the latest one at the bottom."""
    _, choices, width, _, pen, (events, left_out, *_) = scene
    stage = choices.tapped or ("", "")
    more = f", {number(left_out)} more passed" if left_out else ""
    lines = [rule(pen.clean(f"tap {stage[0]}/{stage[1]}{more}"), width, pen)]
    if not events:
        return [*lines, [("waiting for events; Esc leaves", DIM)]]
    shown: list[list[Line]] = []
    left = room - 1
    for event in reversed(events):
        parts = chop_cells(pen.clean(event), width) or [""]
        if len(parts) > (most := 2 if left > 4 else 1):
            parts = [*parts[: most - 1], pen.fit("".join(parts[most - 1 : most + 1]), width)]
        if len(parts) > left:
            break
        shown.append([[(part, "")] for part in parts])
        left -= len(parts)
    return [*lines, *(line for event in reversed(shown) for line in event)]


def detail(frame: Frame, view: StageView, width: int, pen: Pen) -> list[Line]:
    """Return everything that is known of a stage."""
    title = f"{view.flow}/{view.stage}  {view.kind}, {view.state}"
    lines = [rule(pen.clean(title), width, pen), *packed(_counts(frame, view, pen), width)]
    if view.last_error:
        lines += _told("last error", view.last_error, width, pen, BAD)
    tally = view.tally
    lines += _reasons("filtered", tally.filtered.copy(), width, pen) + _reasons("dead", tally.dead.copy(), width, pen)
    return lines + _lags(frame.figures(view).lags, pen)


def _piece(name: str, value: str) -> Line:
    return [(f"{name} ", DIM), (value, "")]


def _counts(frame: Frame, view: StageView, pen: Pen) -> list[Line]:
    tally, figures = view.tally, frame.figures(view)
    pieces = [_piece(name, number(value)) for name, value in tally.as_dict().items() if value or name == "out"]
    if view.kind != "input":
        waits = f"{number(view.waiting)} events, {size(view.mailbox_bytes)}"
        pieces.append(_piece("mailbox", waits))
    pieces += _delay(frame.delays.get(key(view)), pen)
    if view.retries:
        pieces.append(_piece("retries", number(view.retries)))
    if view.restarts:
        pieces.append(_piece("restarts", number(view.restarts)))
    if figures.children:
        down = [f"{child} (down)" if child in figures.down else child for child in figures.children]
        pieces.append(_piece("outputs", pen.clean(", ".join(down))))
    if spool := figures.spool:
        limit = f" of {size(spool.limit_bytes)}" if spool.limit_bytes else ""
        oldest = f", oldest {span(spool.oldest_s)}" if spool.oldest_s else ""
        pieces.append(_piece("spool", f"{number(spool.batches)} batches, {size(spool.size_bytes)}{limit}{oldest}"))
    if view.memory:
        pieces.append(_piece("memory", pen.clean(view.memory)))
    return pieces


def _delay(delay: Delay | None, pen: Pen) -> list[Line]:
    if delay is None:
        return []
    most = [f"{pen.sign('≤', '<=')} {brief(one)}" if one != float("inf") else "> 30m" for one in delay]
    return [_piece("delivered within", f"{most[0]} (half), {most[1]} (95 of 100)")]


def _told(name: str, text: str, width: int, pen: Pen, style: str) -> list[Line]:
    parts = wrapped(f"{name}: {pen.clean(text)}", width, 2, pen)
    return [[(part, style)] for part in parts]


def _reasons(name: str, counts: Mapping[str, int], width: int, pen: Pen) -> list[Line]:
    if not counts:
        return []
    most = sorted(counts.items(), key=lambda one: -one[1])[:3]
    return _told(name, ", ".join(f"{number(count)} {reason}" for reason, count in most), width, pen, "")


def _lags(lags: Mapping[str, int], pen: Pen) -> list[Line]:
    most = sorted(lags.items(), key=lambda one: -one[1])
    lines: list[Line] = [
        [(f"{size(lag_bytes):>8}", "" if lag_bytes else DIM), (" not read of ", DIM), (pen.clean(path), "")]
        for path, lag_bytes in most[:LAGS_MAX]
    ]
    if len(most) > LAGS_MAX:
        lines.append([(f"{len(most) - LAGS_MAX} more files", DIM)])
    return lines
