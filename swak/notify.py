"""Telling the service manager how the run goes: systemd's protocol over NOTIFY_SOCKET."""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from swak.log import get
from swak.metrics.health import STALE_S, obstacles
from swak.metrics.observed import observe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from swak.actors.running import Run
    from swak.metrics.observed import Observed

FIRST_S = 0.05
"""How often the run is looked at until it is ready."""
LOOK_S = 0.5
"""How often after that."""
STATUS_S = 10.0
"""How often the status is told."""
SEND_S = 1.0

log = get("swak.notify")


class Notifier:
    """Decides what the service manager hears, one step after another.

    READY once every stage had its chance to open, RELOADING and READY around each reload, STATUS now and then, STOPPING
    when the run is to end. WATCHDOG only while the supervisor's loop turns: a service manager that hears nothing kills
    the process and starts it again.
    """

    def __init__(
        self,
        send: Callable[[str], None],
        look: Callable[[], Observed],
        watchdog_s: float | None = None,
        now: Callable[[], float] = time.monotonic,
        stays: Callable[[], bool] = lambda: False,
    ) -> None:
        """`stays`: whether the service does not stop with the run, as another process goes on with it."""
        self._stays = stays
        self._send = send
        self._look = look
        self._watchdog_s = watchdog_s
        self._now = now
        self._ready = False
        self._stopping = False
        self._reloads = 0
        self._reloading = False
        self._status_at = 0.0
        self._alive_at = 0.0

    @property
    def pause_s(self) -> float:
        """How long to wait until the next step."""
        longest_s = LOOK_S if self._ready else FIRST_S
        return longest_s if self._watchdog_s is None else min(longest_s, self._watchdog_s / 4)

    def step(self) -> None:
        """Look at the run, and tell what has to be told."""
        observed, now = self._look(), self._now()
        said = []
        had_chance = all(view.state != "opening" or view.restarts for view in observed.views)
        if not self._ready and observed.views and had_chance:
            self._ready = True
            said.append("READY=1")
        if self._ready and observed.reloads_begun > self._reloads:
            self._reloads = observed.reloads_begun
            self._reloading = True
            self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
        if self._reloading and sum(observed.reloads.values()) >= self._reloads:
            self._reloading = False
            said.append("READY=1")
        if observed.draining and not self._stopping and not self._stays():
            self._stopping = True
            said.append("STOPPING=1")
        if self._ready and now >= self._status_at:
            self._status_at = now + STATUS_S
            said.append(f"STATUS={status(observed)}")
        limit_s = None if self._watchdog_s is None else min(STALE_S, self._watchdog_s / 2)
        if limit_s is not None and observed.turn_age_s <= limit_s and now >= self._alive_at:
            self._alive_at = now + limit_s / 2
            said.append("WATCHDOG=1")
        if said:
            self._send("\n".join(said))

    def end(self) -> None:
        """Tell that the run is over. One that was over before it was ready was ready all the same."""
        stopping = not (self._stopping or self._stays())
        said = [*([] if self._ready else ["READY=1"]), *(["STOPPING=1"] if stopping else [])]
        if said:
            self._send("\n".join(said))


def status(observed: Observed) -> str:
    """Return one line for people."""
    delivered = sum(one.delivered for one in observed.inputs)
    dead = sum(view.tally.dead.total() for view in observed.views)
    found = obstacles(observed)
    parts = [f"{delivered} events delivered", *([f"{dead} dead letters"] if dead else [])]
    return "; ".join([", ".join(parts), *(found[:3] or ["all is well"])])


class Channel:
    """The service manager's socket. What cannot be sent is told once; the run goes on."""

    def __init__(self, address: str) -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._told = False

    def send(self, text: str) -> None:
        """Send one datagram. Waits a second at most; never raises for what is on the other side."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.settimeout(SEND_S)
                sock.connect(self._address)
                sock.send(text.encode("utf-8", "backslashreplace"))
        except OSError as error:
            if not self._told:
                self._told = True
                log.warning("the service manager cannot be told", address=self._address, error=str(error))


def watchdog_of(environ: Mapping[str, str], pid: int) -> float | None:
    """Return how long the service manager waits for a sign of life; None: it waits for none of ours."""
    usec = environ.get("WATCHDOG_USEC", "")
    wanted_of = environ.get("WATCHDOG_PID", str(pid))
    if not (usec.isascii() and usec.isdigit() and int(usec)) or wanted_of != str(pid):
        return None
    return int(usec) / 1e6


@contextmanager
def notifying(run: Run) -> Iterator[None]:
    """Tell the service manager about the run while the body goes on; nothing where none wants to know."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address or not hasattr(socket, "AF_UNIX"):
        yield
        return
    began_s = time.monotonic()
    watchdog_s, sockets = watchdog_of(os.environ, os.getpid()), run.crew.sockets
    look, stays = lambda: observe(run, began_s), lambda: sockets.handing
    notifier = Notifier(Channel(address).send, look, watchdog_s, stays=stays)
    over = threading.Event()

    def tell() -> None:
        while not over.wait(notifier.pause_s):
            try:
                notifier.step()
            except Exception as error:  # without a sign of life the service manager steps in
                log.error("the service manager was not told", exc_info=error)

    thread = threading.Thread(target=tell, name="swak-notify", daemon=True)
    thread.start()
    try:
        yield
        notifier.end()
    finally:
        over.set()
        thread.join(SEND_S)
