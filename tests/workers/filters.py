"""Filters for worker processes: a module of its own, since workers import it, and light for the same reason."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

from swak import Event, Filter, option


class Odd(Filter):
    """Values of Python's own, which JSON and MessagePack do not know."""

    def process(self, event: Event) -> Event:
        number = event.record["n"]
        odd = {"tuple": (1, 2), "set": {1, 2}, "big": 2**80, "half": "\ud800", "bytes": b"\xff", "n": number}
        return event.replace(record=odd, tag=f"\ud800{number % 3}", time_ns=-(2**70) if number % 2 else 5)


class Unportable(Filter):
    """Puts something into each third event that no other process can have."""

    def process(self, event: Event) -> Event:
        if event.record["n"] % 3 == 0:
            event.record["lock"] = threading.Lock()
        return event


class Deadly(Filter):
    """Ends its process at one number, in one of several ways."""

    at: int = option("The number.", default=17)
    how: str = option("The way.", default="exit")

    def process(self, event: Event) -> Event:
        if event.record["n"] == self.at:
            if self.how == "exit":
                os._exit(3)
            elif self.how == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            elif self.how == "hang":
                threading.Event().wait(60)
            elif self.how == "memory":
                raise MemoryError
        return event


class Pid(Filter):
    """Notes the process that it runs in."""

    def process(self, event: Event) -> Event:
        return event.replace(record={**event.record, "pid": os.getpid()})


class Slow(Filter):
    """Takes its time for each event, less for even batches, so that results overtake each other."""

    def process(self, event: Event) -> Event:
        threading.Event().wait(0.001 if event.record["n"] // 5 % 2 else 0.004)
        return event


class Counting(Filter):
    """Keeps a count from one event to the next."""

    count = 0

    def process(self, event: Event) -> Event:
        self.count += 1
        return event.replace(record={**event.record, "count": self.count})


class Stateful(Counting):
    """Says that it keeps something."""

    spreads = False


class Trusting(Filter):
    """Has an `open`, and says that it keeps nothing."""

    spreads = True

    def open(self) -> None:
        self.path = Path("x")

    def process(self, event: Event) -> Event:
        return event


class Talking(Filter):
    """Tells the log, and prints."""

    def process(self, event: Event) -> Event:
        self.log.warning("a worker speaks", n=event.record["n"])
        print("printed by a worker")  # noqa: T201 - what a user's filter may do
        return event


class Unopenable(Filter):
    """Cannot be opened."""

    spreads = True

    def open(self) -> None:
        raise ValueError("a programming error")
