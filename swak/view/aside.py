"""What is written to stderr while the view has the terminal."""

from __future__ import annotations

import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

KEPT_MAX = 1_000
"""Lines of the log that may wait to be written while a terminal takes none. Further ones are counted."""
SHOWN_MAX = 20
"""Lines of the log that are kept for the picture."""


class Aside:
    """Stands for stderr while the view has the terminal: takes lines without waiting for anybody."""

    def __init__(self, file: Any) -> None:
        self.file = file
        self.shown: deque[str] = deque(maxlen=SHOWN_MAX)
        """The last lines, for the picture."""
        self._lock = threading.Lock()
        self._waiting: deque[str] = deque()
        self._left_out = 0
        self._begun = ""
        self._ended = False

    @property
    def waits(self) -> bool:
        """Whether there is anything to be written."""
        return bool(self._waiting or self._left_out)

    def write(self, text: str) -> int:
        """Keep what is written; write it, once the view has ended: somebody may have looked us up just before."""
        if self._ended:
            return int(self.file.write(text))
        with self._lock:
            *lines, self._begun = (self._begun + text).split("\n")
            for line in lines:
                self.shown.append(line)
                if len(self._waiting) < KEPT_MAX:
                    self._waiting.append(line)
                else:
                    self._left_out += 1
        return len(text)

    def writelines(self, lines: Sequence[str]) -> None:
        """Keep what is written."""
        self.write("".join(lines))

    def flush(self) -> None:
        """Do nothing: who writes does not wait for the terminal, as long as the view has it."""
        if self._ended:
            self.file.flush()

    def end(self) -> None:
        """Write everything, and be the terminal from now on."""
        self._ended = True
        with self._lock:
            if self._begun:
                self._waiting.append(self._begun)
                self._begun = ""
        self.write_out()

    def write_out(self) -> None:
        """Write to the terminal what was kept."""
        with self._lock:
            lines, left_out = list(self._waiting), self._left_out
            self._waiting.clear()
            self._left_out = 0
        if left_out:
            lines.append(f"({left_out} more lines were left out: the terminal took none)")
        if lines:
            self.file.write("".join(f"{line}\n" for line in lines))
            self.file.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)


def give_back_stderr() -> None:
    """Have stderr be what it was, without waiting for anybody."""
    if isinstance(sys.stderr, Aside):
        sys.stderr = sys.stderr.file
