"""Draw docs/live-view.svg from a run: `python docs/picture.py RECIPE [SECONDS [FILE]]`."""
# ruff: noqa: INP001 - a script beside the documents, no package

from __future__ import annotations

import io
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from swak.actors.running import Run, Settings
from swak.datadir import DataDir
from swak.picture import render
from swak.topology.compile import compile_recipe
from swak.topology.load import load_file
from swak.view import Meter, View

if TYPE_CHECKING:
    from swak.view import Frame

WIDTH = 110


def svg(frame: Frame, width: int = WIDTH) -> str:
    """Return the live view as an SVG picture of a terminal that is `width` characters wide."""
    height = len(frame.views) + 3
    console = Console(record=True, width=width, height=height, file=io.StringIO(), force_terminal=True)
    console.print(render(frame))
    return console.export_svg(title=f"swak up {frame.recipe}")


def main(recipe: str, seconds: str = "5", file: str = "docs/live-view.svg") -> None:
    """Run the recipe for some seconds and draw what the live view shows then."""
    run = Run(compile_recipe(load_file(recipe)), Settings(DataDir.resolve(None, ephemeral=True)))
    view = View(run.snapshot, Path(recipe).name, None)
    try:
        run.start()
        meter = Meter()
        for _ in range(int(float(seconds) * 4)):  # as often as the live view: the rates are those of the last seconds
            time.sleep(0.25)
            frame = view.frame(meter)
        run.stop()
        run.wait(10.0)
    finally:
        run.close()
    Path(file).write_text(svg(frame), "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
