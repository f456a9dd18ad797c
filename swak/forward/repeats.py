"""Chunks that come again, as their sender never heard that they are safe: they are acked, and not taken twice."""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import TYPE_CHECKING

from swak.forward.gathering import Part
from swak.recall import Recall

if TYPE_CHECKING:
    from collections.abc import Callable

    from swak.forward.connection import Connection, Promise

ID_CHARS = 16
"""The protocol wants 128 bits for an id, 24 characters of Base64. What is much shorter may be a mere counter."""
_OF_CONTENT = re.compile(r"[0-9a-f]{32}")
"""Fluent Bit's ids are hashes of the content: two chunks that are alike have one, and both are wanted."""


class Repeats:
    """Knows chunks by tag and id: those that are under way, and the last `count_max` that were settled.

    A repeat of a settled chunk is settled at once; of one that is under way, together with that one.
    """

    def __init__(self, count_max: int, release: Callable[[Connection], None]) -> None:
        """`release` is called with a connection to which nothing is owed any more for a chunk."""
        self._count_max = count_max
        self._release = release
        self._settled = Recall(count_max)
        self._under_way: dict[bytes, Promise] = {}
        self._waiting = 0
        """Repeats of what is under way. They hold nobody up, so there must be a limit: what is beyond it is taken."""
        self.count = 0
        """Chunks that were not taken."""

    def promise(self, connection: Connection, tag: str, chunk_id: str) -> Promise:
        """Note that a chunk is to be acked, and whether it is a repeat."""
        promise = connection.promise(chunk_id)
        if not self._count_max or len(chunk_id) < ID_CHARS or _OF_CONTENT.fullmatch(chunk_id):
            return promise
        key = blake2b(f"{tag}\0{chunk_id}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
        first = self._under_way.get(key)
        if key in self._settled:
            promise.is_repeat = promise.safe = True
        elif first is None:
            promise.key = key
            self._under_way[key] = promise
        else:
            self._give_up(first)
            promise.is_repeat = self._waiting < self._count_max
            if promise.is_repeat:
                self._waiting += 1
                first.repeats.append(promise)
        return promise

    def _give_up(self, first: Promise) -> None:
        """Owe nothing to connections that have ended: who sends again, on another one, waits there."""
        for repeat in [one for one in first.repeats if one.connection.ended]:
            first.repeats.remove(repeat)
            self._waiting -= 1
            repeat.connection.owed -= 1
            if repeat.connection.idle:
                self._release(repeat.connection)

    def passed_over(self, promise: Promise, *, last: bool) -> list[Part]:
        """Note a part of a repeat that is not taken; return what is settled by that."""
        self.count += last
        number = promise.part(last=last)
        return [Part(promise, number)] if promise.safe else []

    def settled(self, promise: Promise) -> list[Part]:
        """Note that a whole chunk is settled; return what is settled by that."""
        self.forget(promise)
        if promise.key:
            self._settled.note([promise.key])
            self._settled.keep()
        self._waiting -= len(promise.repeats)
        for repeat in promise.repeats:
            repeat.safe = True
        return [Part(repeat, number) for repeat in promise.repeats for number in repeat.open]

    def forget(self, promise: Promise | None) -> None:
        """A chunk is under way no more: it is settled, or broke off."""
        if promise is not None and promise.key:
            self._under_way.pop(promise.key, None)

    def text(self) -> str:
        """Return what the receipt should say; nothing when nothing came again."""
        return f"chunks that came again and were not taken: {self.count}" if self.count else ""
