"""One incarnation of a seat."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeVar

from swak.errors import Fenced

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from swak.narrowing import Piece
    from swak.plugin import Plugin

T = TypeVar("T")


class Lease:
    """The right of one thread and one plugin to act for a stage, until it is revoked or over."""

    def __init__(self, plugin: Plugin | None) -> None:
        self.plugin = plugin
        self.revoked = False
        self.over = False
        self.thread: threading.Thread | None = None
        self.in_hand: Piece | None = None
        self.in_plugin_since: float | None = None
        """Monotonic time at which the call that is under way began. Parked time is never in here."""

    def check(self) -> None:
        """Raise Fenced when the lease was revoked."""
        if self.revoked:
            raise Fenced

    def call(self, function: Callable[..., T], *arguments: Any, hand: Piece | None = None) -> T:
        """Call into the plugin, so that a hang is seen from outside. Fenced when the lease was revoked meanwhile."""
        try:
            self.in_hand = hand
            self.in_plugin_since = time.monotonic()
            self.check()  # last: whoever revokes looks in the other order
            return function(*arguments)
        finally:
            self.in_plugin_since = None
            self.in_hand = None
            self.check()
