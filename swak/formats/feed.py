"""Bytes of a stream that cannot be read twice, kept until they are known to be accepted."""

from __future__ import annotations

import os
import select
import threading
import time

from swak.event import BLOCK_BYTES
from swak.log import get

log = get("swak.input")


class ByteFeed:
    """What was read from a descriptor. It outlives the plugins that read through it; offsets tell where each stands.

    Lines longer than a bound are cut when they are read, and offsets count what is left. One thread reads at a time;
    what it reads arrives here even if its plugin was replaced meanwhile.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.cut_lines = 0
        self._kept = bytearray()
        self._base = 0
        """Offset of the first byte that is kept."""
        self._line_bytes = 0
        """Length of the unfinished line at the end."""
        self._cut_bytes = 0
        """Bytes cut off the unfinished line."""
        self._looked_to = 0
        """End of what `lines_from` saw the last time."""
        self._ended = False
        self._reading = threading.Lock()
        self._changed = threading.Condition()
        self._reader: threading.Thread | None = None

    def nearest(self, offset: int | None) -> int:
        """Return the offset nearest to the wanted one that can still be read; None wants the first."""
        with self._changed:
            return self._base if offset is None else min(max(offset, self._base), self._base + len(self._kept))

    def forget(self, offset: int) -> None:
        """Drop what lies before `offset`."""
        with self._changed:
            if offset > self._base:
                del self._kept[: offset - self._base]
                self._base = offset

    def lines_from(self, offset: int, size_bytes: int, *, ended: bool) -> bytes:
        """Return whole lines from `offset`: about `size_bytes`, or one long line. At the end also an unfinished one."""
        with self._changed:
            self._looked_to = self._base + len(self._kept)
            start = offset - self._base
            stop = self._kept.rfind(b"\n", start, start + size_bytes) + 1
            if not stop:
                stop = self._kept.find(b"\n", start + size_bytes) + 1
            if not stop and ended:
                stop = len(self._kept)
            return bytes(self._kept[start:stop]) if stop else b""

    def fill(self, wait_s: float, wake_fd: int, line_bytes_max: int) -> bool:
        """Read what is there; wait for it at most `wait_s`, or until `wake_fd` is readable. False: the input ended."""
        deadline = time.monotonic() + wait_s
        if not hasattr(select, "poll"):
            return self._fill_by_thread(deadline, line_bytes_max)
        if not self._reading.acquire(timeout=wait_s):
            return True
        try:
            poll = select.poll()
            poll.register(self.fd, select.POLLIN)
            poll.register(wake_fd, select.POLLIN)
            ready = [fd for fd, _ in poll.poll(1_000 * max(0.0, deadline - time.monotonic()))]
            if wake_fd in ready:
                os.read(wake_fd, BLOCK_BYTES)
            return self._read(line_bytes_max) if self.fd in ready else True
        finally:
            self._reading.release()

    def _fill_by_thread(self, deadline: float, line_bytes_max: int) -> bool:
        """Wait for a thread that reads: where nothing but sockets can be polled (Windows)."""
        with self._changed:
            self._ended = False
            if self._reader is None or not self._reader.is_alive():
                self._reader = threading.Thread(target=self._read, args=(line_bytes_max,), daemon=True, name="stdin")
                self._reader.start()
            self._changed.wait_for(
                lambda: self._ended or self._base + len(self._kept) > self._looked_to,
                max(0.0, deadline - time.monotonic()),
            )
            return not self._ended

    def _read(self, line_bytes_max: int) -> bool:
        try:
            read = os.read(self.fd, BLOCK_BYTES)
        except BlockingIOError:  # somebody made the descriptor non-blocking and took what was there
            return True
        with self._changed:
            self._append(read, line_bytes_max)
            self._ended = not read
            if self._ended:
                self._note_cut()
            self._changed.notify_all()
        return bool(read)

    def _append(self, read: bytes, line_bytes_max: int) -> None:
        if self._line_bytes + len(read) <= line_bytes_max:
            self._kept += read
            last = read.rfind(b"\n")
            self._line_bytes = self._line_bytes + len(read) if last < 0 else len(read) - last - 1
            return
        first, *others = read.split(b"\n")
        self._append_part(first, line_bytes_max)
        for part in others:
            self._kept += b"\n"
            self._note_cut()
            self._line_bytes = 0
            self._append_part(part, line_bytes_max)

    def _append_part(self, part: bytes, line_bytes_max: int) -> None:
        kept = part[: max(0, line_bytes_max - self._line_bytes)]
        self._kept += kept
        self._line_bytes += len(kept)
        self._cut_bytes += len(part) - len(kept)

    def _note_cut(self) -> None:
        if self._cut_bytes:
            self.cut_lines += 1
            log.warning("a line is too long and was cut", cut_bytes=self._cut_bytes, lines_cut=self.cut_lines)
            self._cut_bytes = 0
