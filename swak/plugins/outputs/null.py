"""Take events and do nothing with them."""

from swak.event import Batch
from swak.plugin import Output


class Null(Output):
    """Drop everything, and count it: for measuring what the stages before cost, and for what is not wanted.

    A dropped event counts as delivered: an input's position moves over it.

    Example:
        `task(in_.FileTailing("app.log"), out.Null())`
    """

    events = 0
    batches = 0
    size_bytes = 0

    def write(self, batch: Batch) -> None:
        self.events += batch.count
        self.batches += 1
        self.size_bytes += batch.size_bytes
