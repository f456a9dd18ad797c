"""What did not come through as it stood in the files: counted, told now and then, and named in the receipt."""

from __future__ import annotations

from typing import Any

from swak.log import get
from swak.tailing.identity import path_text

log = get("swak.tailing")

TELL_NS = 10_000_000_000
"""Each kind is told at most that often, with its number so far: a line of log for each would cost more than reading."""


class Shortfalls:
    """Counts of what was cut, replaced, split or dropped in the files of one input."""

    def __init__(self) -> None:
        self.lines_cut = 0
        """Lines that were longer than the limit."""
        self.bytes_cut = 0
        """Bytes of those lines that were left out."""
        self.bad_sequences = 0
        """Byte sequences that are no characters of the file's encoding."""
        self.events_split = 0
        """Events of several lines that were ended by their size."""
        self.bytes_dropped = 0
        """Bytes that were seen, and were gone before they were read: by truncation or deletion."""
        self.restarts = 0
        """Followers that stood still although their file grew, and were made anew."""
        self._tell_at_ns: dict[str, int] = {}

    def note_cut(self, size_bytes: int, path: str, limit_bytes: int, now_ns: int) -> None:
        """Count a line that was cut."""
        self.lines_cut += 1
        self.bytes_cut += size_bytes
        self._tell(
            "a line is too long and was cut",
            path,
            now_ns,
            cut_bytes=size_bytes,
            limit_bytes=limit_bytes,
            lines_cut=self.lines_cut,
            bytes_cut=self.bytes_cut,
        )

    def note_bad(self, count: int, path: str, encoding: str, now_ns: int) -> None:
        """Count byte sequences that cannot be decoded."""
        self.bad_sequences += count
        self._tell(
            "bytes that are no characters of the encoding; each becomes U+FFFD where the text is decoded",
            path,
            now_ns,
            encoding=encoding,
            sequences=count,
            sequences_so_far=self.bad_sequences,
        )

    def note_split(self, count: int, path: str, limit_bytes: int, now_ns: int) -> None:
        """Count events that were ended by their size."""
        self.events_split += count
        self._tell(
            "an event of several lines is too long and was split",
            path,
            now_ns,
            limit_bytes=limit_bytes,
            events_split=self.events_split,
        )

    def note_dropped(self, size_bytes: int, path: str, why: str) -> None:
        """Count bytes that were seen, and are gone unread. Each time is told."""
        self.bytes_dropped += size_bytes
        log.bind(path=path_text(path)).warning(
            "bytes are gone that were not read", why=why, bytes=size_bytes, bytes_dropped=self.bytes_dropped
        )

    def text(self) -> str:
        """Return what the receipt says."""
        said = [
            self.lines_cut and f"{self.lines_cut} lines were longer than max_line: {self.bytes_cut} bytes left out",
            self.bad_sequences and f"{self.bad_sequences} byte sequences were no characters of the encoding",
            self.events_split and f"{self.events_split} events were longer than max_bytes and were split",
            self.bytes_dropped and f"{self.bytes_dropped} bytes were truncated or deleted before they were read",
            self.restarts and f"{self.restarts} times a file was opened again because reading it stood still",
        ]
        return "; ".join(one for one in said if one)

    def _tell(self, what: str, path: str, now_ns: int, **fields: Any) -> None:
        if now_ns >= self._tell_at_ns.get(what, 0):
            self._tell_at_ns[what] = now_ns + TELL_NS
            log.bind(path=path_text(path)).warning(what, **fields)
