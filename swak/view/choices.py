"""What the operator has chosen to see, and what each key changes in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from swak.view.model import Key, key

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from swak.stats import StageView
    from swak.view.model import Frame

SORTS = ("flow", "rate", "lag", "mailbox", "name")
FILTER_CHARS = 100
"""How long a filter may be."""

HELP = (
    ("j k, arrows", "select a stage; PgUp PgDn, Home End"),
    ("s", "sort by: flow, rate, lag, mailbox, name"),
    ("/", "filter: by name, kind or state; Enter keeps, Esc drops it"),
    ("p", "pause the stage, or resume it"),
    ("t, Enter", "tap: see the last events of the stage; Esc leaves"),
    ("Ctrl-L", "draw anew"),
    ("?", "this help; any key leaves it"),
    ("q", "quit"),
)


class Wish(NamedTuple):
    """Something that the view is to do: a key asked for it."""

    what: Literal["pause", "resume", "tap", "untap", "redraw", "quit"]
    stage: Key = ("", "")


class Choices:
    """What is shown, of what stage, in which order. Changed by keys, one at a time."""

    def __init__(self, *, has_keys: bool = True, leaving: str = "quit") -> None:
        """`leaving`: what q does, in a word."""
        self.has_keys = has_keys
        self.leaving = leaving
        self.sort = SORTS[0]
        self.filter = ""
        self.editing = False
        """Whether the filter is being typed."""
        self.helping = False
        self.selected: Key | None = None
        self.tapped: Key | None = None
        self.top = 0
        """Number of the first row that is shown."""
        self.page = 1
        """How many rows there was room for."""

    def chosen(self, frame: Frame) -> list[StageView]:
        """Return the stages that are to be shown, in the order that was asked for."""
        wanted = self.filter.casefold()
        views = [view for view in frame.views if not wanted or wanted in _words(view)]
        order = _ORDERS.get(self.sort)
        return views if order is None else sorted(views, key=lambda view: order(frame, view))

    def row(self, views: Sequence[StageView]) -> int:
        """Return the number of the row that is selected: the first one where the stage is not shown."""
        return next((number for number, view in enumerate(views) if key(view) == self.selected), 0)

    def react(self, pressed: str, frame: Frame) -> Wish | None:
        """Change what is shown as a key says. Return what is to be done besides."""
        if pressed == "redraw":
            return Wish("redraw")
        if self.editing:
            self._edit(pressed)
            return None
        if self.helping:
            self.helping = False
            return None
        if self._move(pressed, self.chosen(frame)):
            return self._tap(frame) if self.tapped is not None else None
        match pressed:
            case "q":
                return Wish("quit")
            case "s":
                self.sort = SORTS[(SORTS.index(self.sort) + 1) % len(SORTS)]
                self.top = 0
            case "/":
                self.editing = True
            case "?" | "h":
                self.helping = True
            case "t" | "enter":
                return self._tap(frame)
            case "p" | " ":
                return self._pause(frame)
            case "escape":
                return self._escape()
        return None

    def _edit(self, pressed: str) -> None:
        if pressed == "escape":
            self.editing, self.filter = False, ""
        elif pressed == "enter":
            self.editing = False
        elif pressed in {"backspace", "delete"}:
            self.filter = self.filter[:-1]
        elif pressed == "clear":
            self.filter = ""
        elif len(pressed) == 1 and len(self.filter) < FILTER_CHARS:
            self.filter += pressed
        self.top = 0

    def _move(self, pressed: str, views: Sequence[StageView]) -> bool:
        steps = {"up": -1, "k": -1, "down": 1, "j": 1, "pageup": -self.page, "pagedown": self.page}
        steps |= {"home": -len(views), "g": -len(views), "end": len(views), "G": len(views)}
        if pressed not in steps:
            return False
        if views:
            row = min(len(views) - 1, max(0, self.row(views) + steps[pressed]))
            self.selected = key(views[row])
        return True

    def _current(self, frame: Frame) -> StageView | None:
        views = self.chosen(frame)
        return views[self.row(views)] if views else None

    def _tap(self, frame: Frame) -> Wish | None:
        view = self._current(frame)
        if view is None or key(view) == self.tapped:
            return None
        self.selected = self.tapped = key(view)
        return Wish("tap", key(view))

    def _pause(self, frame: Frame) -> Wish | None:
        view = self._current(frame)
        if view is None:
            return None
        self.selected = key(view)
        return Wish("resume" if frame.figures(view).paused else "pause", key(view))

    def _escape(self) -> Wish | None:
        if self.tapped is not None:
            self.tapped = None
            return Wish("untap")
        self.filter = ""
        return None


def _words(view: StageView) -> str:
    return f"{view.flow}/{view.stage} {view.kind} {view.state}".casefold()


def _lag(frame: Frame, view: StageView) -> float:
    figures = frame.figures(view)
    return figures.lag_bytes + (figures.spool.size_bytes if figures.spool is not None else 0)


_ORDERS: dict[str, Callable[[Frame, StageView], tuple[float, str]]] = {
    "rate": lambda frame, view: (-frame.rate(view), view.stage),
    "lag": lambda frame, view: (-_lag(frame, view), view.stage),
    "mailbox": lambda _, view: (-view.fill if view.fill == view.fill else 0.0, view.stage),
    "name": lambda _, view: (0.0, view.stage.casefold()),
}
