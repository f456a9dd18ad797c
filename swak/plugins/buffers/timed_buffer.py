"""Release events together after a while."""

from __future__ import annotations

from swak.holding import HoldingBuffer
from swak.options import Duration, option


class TimedBuffer(HoldingBuffer):
    """Hold events in memory and release all of them when the oldest is `age` old.

    Age counts from the arrival in the buffer. More than 8 MiB are never held: what is there is then released at once,
    and so it is at the end of the run, and while its input waits at `--memory-limit`. Order stays. Nothing that is held
    counts as delivered: after a crash of the process an input that can replay reads it again. For ages of minutes and
    more, mind that a restart repeats that much.

    Example:
        `task(in_.FileTailing("/var/log/app.log"), out.TimedBuffer("5M"), out.Fluentd("192.168.0.1"))`
    """

    age: Duration = option('How long the oldest event may wait, such as "30s" or "5M" (minutes).', above=0)

    def longest_s(self) -> float:
        return self.age

    def open(self) -> None:
        super().open()
        self.hold_s = self.age
