"""One delivery of a sender: which frames are still to be sent, and which are still to be acked."""

from __future__ import annotations

import reprlib
from collections import deque
from errno import EPROTO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from swak.forward.frames import Frame


class Exchange:
    """Frames on their way: what is still to be sent, and which ids are still to be acked."""

    def __init__(self, frames: list[Frame], *, gzip: bool = False) -> None:
        self._gzip = gzip
        self._frames = deque(frames)
        self._waiting: dict[str, int] = {}
        self._acked: set[int] = set()
        self._number = 0
        self._rest = memoryview(b"")

    @property
    def sending(self) -> bool:
        """Whether bytes are left to be sent."""
        return bool(self._rest or self._frames)

    @property
    def over(self) -> bool:
        """Whether everything was sent and acked."""
        return not (self.sending or self._waiting)

    def acked(self) -> int:
        """Return how many of the first frames were acked without a gap."""
        return next(number for number in range(self._number + 1) if number not in self._acked)

    def next_bytes(self) -> memoryview:
        """Return what to send now."""
        if not self._rest:
            frame = self._frames.popleft()
            self._rest = memoryview(frame.packed(gzip=self._gzip))
            self._waiting[frame.chunk_id] = self._number
            self._number += 1
        return self._rest

    def sent(self, size_bytes: int) -> None:
        """Note that the first bytes of `next_bytes` are out."""
        self._rest = self._rest[size_bytes:]

    def answered(self, answer: Any) -> None:
        """Note one answer of the receiver. OSError when it is not the ack of something that was sent."""
        chunk_id = answer.get("ack") if isinstance(answer, dict) else None
        if isinstance(chunk_id, str) and chunk_id in self._waiting:
            self._acked.add(self._waiting.pop(chunk_id))
        elif isinstance(answer, list) and answer[:1] == ["HELO"]:
            raise OSError(EPROTO, "the receiver asks for a shared key; give shared_key=")
        else:
            raise OSError(EPROTO, f"the receiver acked what was not sent: {reprlib.repr(answer)[:80]}")
