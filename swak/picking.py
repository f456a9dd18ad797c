"""Filters that keep some events as they are: what they will decide can be known where records are made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from swak.plugin import Filter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Rule(NamedTuple):
    """How events are picked. It must be quick, come to an end on any values, and always decide the same."""

    key: str
    """The same for rules that decide the same."""
    names: Sequence[str]
    """Fields that it looks at, at least one."""
    keeps: Callable[[Sequence[Sequence[Any]]], list[bool]]
    """Tells for each event whether it stays, by the values of each field."""


class Picker(Filter):
    """A filter that says by which rule it picks."""

    def rule(self) -> Rule | None:
        """Return the rule, before `open` too; None where nobody else should try it."""
        return None
