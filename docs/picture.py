"""Draw docs/live-view.svg, always the same, from figures that are made up: `python -m docs.picture [FILE]`."""
# ruff: noqa: INP001 - a script beside the documents, no package

from __future__ import annotations

import io
import math
import re
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from swak.latency import BOUNDS_S, Spread
from swak.stats import Reasons, StageView, Tally
from swak.view.cells import Line, Pen
from swak.view.choices import Choices
from swak.view.drawing import as_text, draw
from swak.view.model import TREND_S, Delay, Figures, Frame, Key, Look, Process, Spool
from swak.view.panes import Scene

WIDTH, HEIGHT = 136, 25
GAP = "link gap"
"""A style that is nowhere to be seen: Rich joins neighbours of the same style."""
ID = "swak-live-view"
"""Names the styles in the SVG: the same in every run."""


def stage(name: str, kind: str, events: int, state: str = "running", *, flow: str = "web", **more: Any) -> StageView:
    """Return a stage that so many events have passed."""
    tally = Tally()
    tally.into = tally.out = events
    if kind == "input":
        tally.into, tally.made = 0, events
    for what, counts in (("filtered", more.pop("filtered", {})), ("dead", more.pop("dead", {}))):
        setattr(tally, what, Reasons(counts))
        tally.out -= sum(counts.values())
    known = {"mailbox_batches": 0, "mailbox_bytes": 0, "fill": 0.0, "oldest_s": None, "errors": 0, "restarts": 0}
    return StageView(flow=flow, stage=name, kind=kind, state=state, tally=tally, **{**known, **more})


def trend(rate: float, wave: float, beat: float, since: int = 0) -> tuple[float, ...]:
    """Return half a minute of a rate that goes up and down, and was nothing before second `since`."""
    values = [rate * (1 + wave * math.sin(second * beat)) for second in range(TREND_S)]
    return tuple(0.0 if second < since else value for second, value in enumerate(values))


def example() -> Frame:
    """Return a morning at a shop: one of two Fluentd servers is down, and the archive writes to a slow disk."""
    refused = "ConnectionRefusedError: 10.0.0.7:24224 refused the connection"
    views = (
        stage("FileTailing", "input", 48_211_904, oldest_s=1.4),
        stage("Nginx", "filter", 48_211_790, fill=0.12, mailbox_batches=2, mailbox_bytes=431_000, waiting=1_811,
              dead={"no match": 14}, errors=14, last_error="no match"),
        stage("Drop", "filter", 48_209_511, fill=0.06, mailbox_batches=1, filtered={"status < 200": 2_204_118}),
        stage("TimedBuffer", "buffer", 46_005_393, fill=0.06, mailbox_batches=1),
        stage("Failover", "failover", 45_991_200, fill=0.25, mailbox_batches=4, live_child="Fluentd-2"),
        stage("Fluentd", "output", 31_120_455, "retrying", down_s=133.0, errors=27, retries=27, last_error=refused),
        stage("Fluentd-2", "output", 14_870_745, fill=0.06, mailbox_batches=1),
        stage("Tcp", "input", 2_310_877, flow="syslog", oldest_s=212.0),
        stage("Syslog", "filter", 2_310_877, "blocked", flow="syslog", fill=0.5, mailbox_batches=8),
        stage("DiskBuffer", "output", 2_309_610, flow="syslog", fill=0.31, mailbox_batches=5),
        stage("DiskBuffer", "input", 1_204_377, flow="archive", oldest_s=211.0),
        stage("File", "output", 1_203_100, flow="archive", fill=1.0, mailbox_batches=16, mailbox_bytes=4_190_000,
              waiting=12_400, restarts=1),
    )  # fmt: skip
    shapes = [
        (12_340, 0.35, 0.5, 0), (12_340, 0.35, 0.5, 0), (12_300, 0.35, 0.5, 0), (11_780, 0.3, 0.5, 0),
        (11_700, 0.3, 0.5, 0), (0, 0, 0, 0), (11_700, 0.3, 0.5, 6), (1_830, 0.12, 0.9, 0), (1_830, 0.12, 0.9, 0),
        (1_825, 0.12, 0.9, 0), (640, 0.6, 1.1, 0), (640, 0.6, 1.1, 0),
    ]  # fmt: skip
    keys: list[Key] = [(view.flow, view.stage) for view in views]
    trends = {key: trend(*shape) for key, shape in zip(keys, shapes, strict=True)}
    figures = {
        keys[0]: Figures(
            lags={"/var/log/nginx/access.log": 3_412_000, "/var/log/nginx/shop.log": 211_400},
            latency=Spread((0,) * (len(BOUNDS_S) + 1), 0.0),
        ),
        keys[4]: Figures(children=("Fluentd", "Fluentd-2"), down=("Fluentd",)),
        keys[5]: Figures(router="Failover"),
        keys[6]: Figures(router="Failover"),
        keys[9]: Figures(inner=True),
        keys[10]: Figures(inner=True, spool=Spool(1_105, 288_400_000, 1_073_741_824, 211.0)),
    }
    look = Look(views, figures, uptime_s=93_784.0, process=Process(38.2, 96_300_000))
    rates = {key: float(shape[0]) for key, shape in zip(keys, shapes, strict=True)}
    return Frame("shop.py", look, rates, trends, {keys[0]: Delay(0.1, 2.5), keys[7]: Delay(0.025, 0.1)})


def svg(frame: Frame, width: int = WIDTH, height: int = HEIGHT) -> str:
    """Return the live view as an SVG picture of a terminal of that size."""
    console = Console(
        record=True, width=width, height=height, file=io.StringIO(), force_terminal=True, color_system="truecolor",
        legacy_windows=False, _environ={},
    )  # fmt: skip
    lines = draw(Scene(frame, Choices(leaving="drain and quit"), width, height, Pen()))
    console.print(as_text([_placed(line) for line in lines]))
    return console.export_svg(title=f"swak up {frame.recipe}", unique_id=ID)


def _placed(line: Line) -> Line:
    """Have each word at a place of its own: some programs leave out spaces that a text in an SVG begins with."""
    parts = [(part, style) for text, style in line for part in re.split("( +)", text) if part]
    return [
        (part, f"{style} {GAP}".strip() if part.isspace() and "reverse" not in style else style)
        for part, style in parts
    ]


def main(file: str = str(Path(__file__).parent / "live-view.svg")) -> None:
    """Write the picture."""
    Path(file).write_text(svg(example()), "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
