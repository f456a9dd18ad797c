"""Stages, frames and pictures that the tests of the view make up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from swak.stats import StageView, Tally
from swak.view.cells import Pen
from swak.view.choices import Choices
from swak.view.drawing import draw
from swak.view.model import Frame, Look, Peek, key
from swak.view.panes import Extras, Scene

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from swak.view.model import Figures, Key


def stage(
    name: str, kind: str = "filter", state: str = "running", total: int = 0, *, flow: str = "web", **more: Any
) -> StageView:
    tally = Tally()
    tally.into = tally.out = total
    known = {"mailbox_batches": 0, "mailbox_bytes": 0, "fill": 0.0, "oldest_s": None, "errors": 0, "restarts": 0}
    return StageView(flow, name, kind, state, tally, **{**known, **more})


def frame(
    *views: StageView,
    rates: Mapping[str, float] | None = None,
    figures: Mapping[str, Figures] | None = None,
    recipe: str = "web.py",
    **more: Any,
) -> Frame:
    """Return a frame of these stages; rates and figures are by the names of stages."""
    keys: dict[str, Key] = {view.stage: key(view) for view in views}
    look = Look(views, {keys[name]: one for name, one in (figures or {}).items()}, **more)
    return Frame(recipe, look, {keys[name]: rate for name, rate in (rates or {}).items()})


def drawn(
    shown: Frame,
    width: int = 80,
    height: int = 24,
    choices: Choices | None = None,
    *,
    encoding: str = "utf-8",
    extras: Extras | None = None,
) -> list[str]:
    scene = Scene(shown, choices or Choices(has_keys=False), width, height, Pen(encoding), extras or Extras())
    return ["".join(text for text, _ in line) for line in draw(scene)]


class Peeked:
    """Events that a test hands out."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.left_out = 3
        self.lines = list(lines)
        self.closed = False

    def take(self) -> list[str]:
        found, self.lines = self.lines, []
        return found

    def close(self) -> None:
        self.closed = True


class Subject:
    """An agent that a test makes up; what it is asked for is noted."""

    def __init__(self, look: Callable[[], Look]) -> None:
        self._look = look
        self.asked: list[object] = []
        self.peeked = Peeked(['{"record": {"message": "an event"}}'])
        self.error: Exception | None = None

    def look(self) -> Look:
        return self._look()

    def pause(self, stage: Key, *, on: bool) -> None:
        self.asked.append(("pause" if on else "resume", stage))
        if self.error is not None:
            raise self.error

    def peek(self, stage: Key, rate: float) -> Peek:
        self.asked.append(("peek", stage, rate))
        return self.peeked


def gained(lines: list[str], peek: Peek) -> list[str]:
    """Add what has passed to lines, and return them."""
    lines += peek.take()
    return lines
