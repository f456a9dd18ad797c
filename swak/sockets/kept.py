"""Sockets that outlive whoever reads them: those that listen, and connections on their way to a successor."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from swak import log

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable

LOG = log.get("sockets")

KEEP_S = 120.0
"""How long a socket is kept that nobody has taken: longer than a task that failed rests before it starts again."""

Address: TypeAlias = tuple[str, str, int]
"""Protocol ("tcp", "udp"), host and port, as the options of a stage say."""


class Carried(NamedTuple):
    """A connection that goes to a successor."""

    sock: socket.socket
    peer: str
    rest: bytes = b""
    """What has come and was not handed out: the beginning of a line or frame."""
    out: bytes = b""
    """What is still to be sent."""
    state: dict[str, Any] = {}  # noqa: RUF012 - a default of a tuple, never written to
    """What else its protocol wants to remember, as JSON has it."""


class Entry:
    """What is kept of one address of one stage."""

    def __init__(self, stage: str, address: Address, sock: socket.socket, state: dict[str, Any]) -> None:
        self.stage = stage
        self.address = address
        self.sock = sock
        """Another descriptor of the socket that the stage reads: it stays open when that one is closed."""
        self.state = state
        self.carried: list[Carried] = []
        self.pending: list[Any] = []
        """What its last reader had read and not handed out; it cannot leave this process."""
        self.owner: Berth | None = None
        """Who reads it now."""
        self.left_at = 0.0

    def close(self) -> None:
        """Close the socket, and the connections that nobody has taken."""
        if self.pending:
            LOG.warning("what a stage had read and not handed out is lost", stage=self.stage, parts=len(self.pending))
        self.sock.close()
        for one in self.carried:
            one.sock.close()
        self.carried = []


class Keep:
    """Keeps listening sockets open while the seats that read them change. Any thread may call.

    While a seat is replaced, who connects waits in the system's queue, instead of being refused. Nothing is kept
    beyond the end of the run, unless it is `handing` over: then even stages that have ended leave their sockets here.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._entries: list[Entry] = []
        self._ending = False
        self.handing = False
        """Whether stages that end have successors, in another process or after a change of the recipe."""
        self.wish: Callable[[], object] = _nobody
        """Called when somebody wishes that another process goes on with what is kept."""

    def berth(self, stage: str) -> Berth:
        """Return the place of a plugin that is to be seated; the one before it has nothing more to say here."""
        return Berth(self, stage)

    def put(self, stage: str, address: Address, sock: socket.socket, state: dict[str, Any] | None = None) -> Entry:
        """Keep a socket for the stage of that name. It is ours from now on."""
        entry = Entry(stage, address, sock, state or {})
        entry.left_at = self._now()
        with self._lock:
            self._entries.append(entry)
        return entry

    def entries(self) -> list[Entry]:
        """Return what is kept now."""
        with self._lock:
            return list(self._entries)

    def begin(self) -> None:
        """Serve a run that is about to start."""
        self.handing = self._ending = False

    def end(self) -> None:
        """Close what is kept: the run is over. Nothing happens while it is handing over."""
        if self.handing:
            return
        self._ending = True
        count = sum(len(one.carried) for one in self.entries())
        if count:
            LOG.warning("connections that a successor was to take are closed", connections=count)
        self._close(self.entries())

    def close(self) -> None:
        """Close what is kept, whatever is under way."""
        self.handing, self._ending = False, True
        self._close(self.entries())

    def release_but(self, addresses: Iterable[Address]) -> None:
        """Close what is kept of every address but these, and hand over no more."""
        wanted = set(addresses)
        self.handing = False
        self._close([one for one in self.entries() if one.address not in wanted and one.owner is None])

    def expire(self) -> None:
        """Close what nobody has taken within KEEP_S. To be called now and then."""
        if not self._entries or self.handing:
            return
        now = self._now()
        late = [one for one in self.entries() if one.owner is None and now - one.left_at > KEEP_S]
        for one in late:
            LOG.warning("nobody has taken a socket that was kept; it is closed", stage=one.stage, address=one.address)
        self._close(late)

    def take(self, berth: Berth, address: Address) -> Entry | None:
        """Give what is kept of an address to a plugin: of its own stage first, else of any that has ended."""
        with self._lock:
            same = [one for one in self._entries if one.address == address]
            own = [one for one in same if one.stage == berth.stage]
            free = [one for one in same if one.owner is None and address[2]]
            found = next(iter(own or free), None)
            if found is not None:
                found.owner, found.stage = berth, berth.stage
            return found

    def hold(self, berth: Berth, address: Address, sock: socket.socket) -> None:
        """Keep a descriptor of our own of a socket that a plugin has just made."""
        if not self._ending:
            self.put(berth.stage, address, sock.dup()).owner = berth

    def leave(
        self, berth: Berth, address: Address, carried: list[Carried], state: dict[str, Any], pending: list[Any]
    ) -> None:
        """Take back an address that a plugin reads no more. What comes too late, after its successor, is closed."""
        with self._lock:
            entry = next((one for one in self._entries if one.owner is berth and one.address == address), None)
            if entry is not None:
                entry.owner, entry.left_at = None, self._now()
                entry.carried, entry.state, entry.pending = carried, state, pending
        if entry is None:
            for one in carried:
                one.sock.close()

    def drop(self, berth: Berth, address: Address) -> None:
        """Close what is kept of an address: its plugin listens there no more."""
        self._close([one for one in self.entries() if one.owner is berth and one.address == address])

    def hands_on(self, *, ended: bool) -> bool:
        """Tell whether a plugin that is closed will have a successor; it has `ended` when its input has."""
        return self.handing or not (ended or self._ending)

    def _close(self, entries: list[Entry]) -> None:
        for one in entries:
            with self._lock:
                if one in self._entries:
                    self._entries.remove(one)
            one.close()


def _nobody() -> None:
    """There is no other process to be had."""


class Berth:
    """What one plugin has to do with the keep, as long as it is seated."""

    def __init__(self, keep: Keep, stage: str) -> None:
        self._keep = keep
        self.stage = stage

    def listening(self, address: Address, make: Callable[[], socket.socket]) -> tuple[socket.socket, dict[str, Any]]:
        """Return the socket of an address, with what its last reader left word of: a kept one, or else a new one."""
        entry = self._keep.take(self, address)
        if entry is not None:
            return entry.sock.dup(), entry.state
        sock = make()
        try:
            self._keep.hold(self, address, sock)
        except OSError:  # no descriptor left
            sock.close()
            raise
        return sock, {}

    def arrived(self, address: Address) -> list[Carried]:
        """Return the connections that a predecessor has left; they are the caller's now."""
        found = []
        for entry in self._keep.entries():
            if entry.owner is self and entry.address == address:
                found += entry.carried
                entry.carried = []
        return found

    @property
    def handing(self) -> bool:
        """Whether even a stage that ends has a successor, which goes on with what is not handed out yet."""
        return self._keep.handing

    def hands_on(self, *, ended: bool) -> bool:
        """Tell whether to `leave` things here, instead of closing them."""
        return self._keep.hands_on(ended=ended)

    def pending(self, address: Address) -> list[Any]:
        """Return what a predecessor in this process had read and not handed out; it is the caller's now."""
        found = []
        for entry in self._keep.entries():
            if entry.owner is self and entry.address == address:
                found += entry.pending
                entry.pending = []
        return found

    def leave(
        self,
        address: Address,
        carried: Iterable[Carried] = (),
        state: dict[str, Any] | None = None,
        pending: Iterable[Any] = (),
    ) -> None:
        """Leave an address to a successor, with the connections that it can go on with."""
        self._keep.leave(self, address, list(carried), state or {}, list(pending))

    def drop(self, address: Address) -> None:
        """Listen there no more: neither we nor a successor."""
        self._keep.drop(self, address)


def alone() -> Berth:
    """Return a place for a plugin that nobody has seated: nothing is kept."""
    keep = Keep()
    keep.end()
    return keep.berth("")
