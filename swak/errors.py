"""Errors that swak raises, and the few exceptions by which a plugin talks to its seat.

::

    SwakError
    ├── ConfigError      a recipe or an option is wrong; every problem at once (exit 78)
    ├── StateError       the data directory cannot be used (locked, unreadable, not writable)
    ├── Signal           how a plugin tells its seat something
    │   ├── EndOfInput   an input has nothing more and never will
    │   ├── Retry        an output asks for the same batch again, later
    │   ├── Refused      these events are not acceptable, now or later
    │   └── Gone         an output's far end went away for good (a closed pipe)
    └── SeatError        how the runtime turns away a seat that was replaced
        ├── Fenced       the lease was revoked: a successor has the mailbox
        └── Closed       the mailbox takes nothing any more
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from swak.event import Event


class Problem(NamedTuple):
    """One thing that is wrong with a recipe: what, where, how to mend."""

    what: str
    mend: str = ""
    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}  " if self.file else ""
        return f"{place}{self.what}{'; ' if self.mend else ''}{self.mend}"


class SwakError(Exception):
    """Base of everything that swak raises on purpose."""


class ConfigError(SwakError):
    """A recipe or an option is wrong; `problems` names them all."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class StateError(SwakError):
    """The data directory cannot be used."""


class Signal(SwakError):  # noqa: N818 - a signal, not an error
    """Base of what a plugin raises to tell its seat something."""


class EndOfInput(Signal):
    """An input has nothing more and never will."""


class Retry(Signal):
    """An output asks for the same batch again after `after_s` seconds, without being opened anew."""

    def __init__(self, reason: str = "", after_s: float = 0.0) -> None:
        super().__init__(reason)
        self.after_s = after_s


class Refused(Signal):
    """`events` are not acceptable, now or later; whatever else was in hand counts as done."""

    def __init__(self, events: Sequence[Event], reason: str) -> None:
        super().__init__(reason)
        self.events = list(events)
        self.reason = reason


class Gone(Signal):
    """An output's far end went away for good: the whole run stops, what is unsettled is named."""


class SeatError(SwakError):
    """Base of how the runtime turns away a seat that was replaced."""


class Fenced(SeatError):  # noqa: N818 - a verdict, not an error
    """The lease was revoked: a successor has the mailbox."""


class Closed(SeatError):  # noqa: N818 - a verdict, not an error
    """The mailbox takes nothing any more: the topology is stopping."""


COLLECTED: ContextVar[list[Problem] | None] = ContextVar("swak_problems", default=None)
"""While a recipe is loaded, the list that problems go to, so that all of them are shown together."""


def report(problems: Sequence[Problem]) -> None:
    """Add to the problems of the recipe that is being loaded; raise ConfigError when none is."""
    collected = COLLECTED.get()
    if collected is None:
        raise ConfigError(problems)
    collected.extend(problems)
