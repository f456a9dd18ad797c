"""What is found while a recipe is compiled: problems, warnings, and words for what stands in a flow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from swak.discovery import StandIn
from swak.errors import Problem
from swak.plugin import Plugin
from swak.recipe import Chain, Failover, Flow, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

T = TypeVar("T")


class Report:
    """What is found on the way: problems, warnings, and every plugin that was met."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.warnings: list[str] = []
        self.met: dict[int, Plugin] = {}

    def problem(self, what: str, mend: str, place: Place) -> None:
        """Note what is wrong, where, and how to mend it."""
        self.problems.append(Problem(what, mend, *place))

    def warn(self, what: str, mend: str, place: Place) -> None:
        """Note what may be meant, but often is not."""
        self.warnings.append(str(Problem(what, mend, *place)))

    def meet(self, plugin: Plugin) -> None:
        """Check a plugin: that it is in one place only, and what it says about its options taken together."""
        if id(plugin) in self.met:
            mend = f"make one for each place: write {plugin.name}(...) again"
            self.problem(f"{plugin.name}: the same plugin stands in two places", mend, plugin.place)
            return
        self.met[id(plugin)] = plugin
        if not plugin.valid:
            return  # reported when it was made
        for what, mend in self.asked(plugin, plugin.check):
            plugin.valid = False  # nothing more is asked of it
            self.problem(f"{plugin.name}: {what}", mend, plugin.place)

    def asked(self, plugin: Plugin, question: Callable[[], Iterable[T]]) -> list[T]:
        """Return what a plugin answers; nothing when that fails, which is a problem itself."""
        try:
            return list(question())
        except Exception as error:  # noqa: BLE001 - a plugin's own check must not hide the other problems
            self.problem(f"{plugin.name}: its check fails: {type(error).__name__}: {error}", "", plugin.place)
            return []


def no_stage(part: Any) -> tuple[str, str]:
    """Say what an argument is that is no stage, and how to mend it."""
    if isinstance(part, type) and issubclass(part, Plugin):
        side = "in_" if part.kind == "input" else "out"
        return f"{part.__name__} is a class, not a plugin", f"did you mean {side}.{part.__name__}()?"
    if isinstance(part, Flow):
        return f"a {part.kind} stands inside", "flows stand beside each other, each at the left margin"
    if isinstance(part, tuple | set | frozenset):
        return f"{title(part)} is no stage", "for side by side write a list: [a, b]"
    shown = repr(part)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return f"{shown} is no stage", "give plugins such as out.Stdout(), lists, dicts and failover(...)"


def is_stand_in(part: Any) -> bool:
    """Tell whether this stands for a plugin whose problem was reported."""
    return isinstance(part, StandIn) or (isinstance(part, type) and issubclass(part, StandIn))


def with_article(kind: str) -> str:
    """Return "an input" or "a filter"."""
    return f"an {kind}" if kind.startswith(("i", "o")) else f"a {kind or 'plugin'}"


def title(part: Any) -> str:
    """Name a part of a flow for people."""
    if isinstance(part, Plugin):
        return f"{part.name} ({with_article(part.kind)})"
    return {Failover: "failover(...)", Chain: "a chain"}.get(type(part), with_article(type(part).__name__))


def place_of(part: Any, otherwise: Place) -> Place:
    """Return where the part was written, as far as it is known."""
    return part.place if isinstance(part, Plugin | Failover) else otherwise
