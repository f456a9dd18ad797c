"""Requests whose events are under way, and which parts of them are not settled yet."""

from __future__ import annotations

from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from swak.sockets.http_server import Request


class Awaiting:
    """Remembers requests until all of their parts are settled, which any thread may tell; `wake` is called then."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._open: dict[Request, set[int]] = {}
        self._told: SimpleQueue[tuple[Request, int]] = SimpleQueue()

    def __iter__(self) -> Iterator[Request]:
        return iter(list(self._open))

    def begin(self, request: Request, parts: int) -> list[Callable[[], None]]:
        """Note a request of so many parts; return what each part calls when it is settled, perhaps more than once."""
        self._open[request] = set(range(parts))
        return [partial(self._tell, request, part) for part in range(parts)]

    def settled(self) -> Iterator[Request]:
        """Yield the requests whose last part was settled since, and forget them."""
        while not self._told.empty():
            request, part = self._told.get()
            parts = self._open.get(request)
            if parts is not None:
                parts.discard(part)
                if not parts:
                    del self._open[request]
                    yield request

    def forget(self, request: Request) -> bool:
        """Wait for a request no longer; tell whether it was waited for."""
        return self._open.pop(request, None) is not None

    def _tell(self, request: Request, part: int) -> None:
        self._told.put((request, part))
        self._wake()
