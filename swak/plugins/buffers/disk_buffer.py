"""Hold events on disk until the stages behind are done with them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from swak.options import Duration, Size, option
from swak.plugin import Buffer, Input, Output
from swak.spool.halves import Shared, SpoolReader, SpoolWriter
from swak.spool.spool import Spool


class DiskBuffer(Buffer):
    """Hold events on disk, so that a slow or dead output behind it holds up nothing in front of it.

    What is in the spool counts as delivered for the input, because it is on disk: after a crash, or a power cut, it is
    sent from there. Batches that are taken soon pass in memory, and the disk is only written. Order stays.

    `fsync` is how long events may wait until they are synced, several batches together; with None they count when the
    system has them, and a power cut can take the last half minute. When the spool holds `max_size`, it is **block**:
    it takes no more, and the stages in front wait; **drop_oldest**: the oldest segment (16 MiB, or an eighth of
    `max_size`) that was not yet begun goes, and is counted in the receipt as dropped; or **overflow**: what does not
    fit goes to the dead letters. Events older than `max_age` are dropped and counted, too.

    A torn end is cut at the start; what is damaged is kept beside its segment as `.bad`, counted, and passed over. The
    content of a spool never keeps swak from starting. Another swak, or another stage, cannot use the same folder.
    Values that JSON does not know become text or lists on their way through the disk; what MessagePack cannot carry
    (objects of Python's, numbers beyond 64 bits) goes to the dead letters.

    Everything behind it is a flow of its own, which nothing else can join.

    Example:
        `task(in_.FileTailing("app.log"), out.DiskBuffer("/var/lib/swak/app"), out.Fluentd("192.168.0.1"))`
    """

    path: str = option("Folder of the spool; it is made.")
    max_size: Size = option("Bytes on disk.", default="1GiB", at_least=1024 * 1024)
    max_age: Duration | None = option("How long events may wait before they are dropped; None: for ever.", default=None)
    when_full: Literal["block", "drop_oldest", "overflow"] = option("What happens when it is full.", default="block")
    fsync: Duration | None = option("How long events may wait for the disk; None never asks it.", default="50ms")

    decouples = True

    def halves(self) -> tuple[Output, Input]:
        folder = Path(self.path).absolute()
        max_age_s = None if self.max_age is None else float(self.max_age)
        shared = Shared(lambda: Spool(folder, max_bytes=int(self.max_size), max_age_s=max_age_s))
        fsync_s = None if self.fsync is None else float(self.fsync)
        ends = SpoolWriter(shared, self.name, self.when_full, fsync_s), SpoolReader(shared, f"{self.name}.out")
        for end in ends:
            end.place = self.place
        return ends
