"""What a worker process does: it makes filters, runs batches through them, and ends when its agent does."""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import logging
import os
import pickle
import select
import signal
import socket
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Any, NoReturn

from swak.ack import Source
from swak.event import Batch, gather
from swak.formats.encoded import encoded_parts
from swak.formats.rows import bounded
from swak.log import WHERE, plain
from swak.memory import tune
from swak.plugin import DeadEvent
from swak.workers.chain import Link, through, unused_ack
from swak.workers.orders import made
from swak.workers.wire import LEFT_ALONE, Frame, Packed, pack, receive, send, unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import ModuleType

    from swak.event import Body, Event, Record
    from swak.plugin import Outcome

_PR_SET_PDEATHSIG = 1
"""Linux, prctl.h: which signal comes when the parent dies."""
_PLAIN = (str, int, float, bool, bytes, type(None))


def main(run_again: Callable[[str, str, str], ModuleType], agent_pid: int) -> None:
    """Serve the agent at the other end of standard input until that closes it. `run_again` runs a recipe's text."""
    numbers = [getattr(signal, name) for name in LEFT_ALONE]
    for number in numbers:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)  # what was blocked for the time in between
    die_with(agent_pid)
    peer = socket.socket(fileno=os.dup(0))  # a number that no child of a plugin inherits
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.close(null)
    faulthandler.enable()
    threading.Thread(target=leave_with, args=(peer,), name="agent-watch", daemon=True).start()
    serve(peer, run_again)


def die_with(agent_pid: int) -> None:
    """Where the system offers that, have it end this process at once when the agent dies, whatever it is at."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != agent_pid:  # it died before
        os._exit(0)


def leave_with(peer: socket.socket) -> NoReturn:
    """End this process when the agent's end of the socket is gone, though a filter should be at work for long."""
    poll = select.poll()
    poll.register(peer, 0)
    poll.poll()
    os._exit(0)


def serve(peer: socket.socket, run_again: Callable[[str, str, str], ModuleType]) -> None:
    """Make the filters, say that they are ready, and answer each job until the agent closes its end."""
    lock = threading.Lock()

    def tell(frame: Frame) -> None:
        with lock:
            send(peer, frame)

    links: list[Link] = []
    try:
        hello = receive(peer)
        if hello is None:
            return
        path, orders, where, level, as_json = hello.values
        sys.path[:] = path
        lead_log_to(tell, where, level)
        links += [Link(stage, plugin) for stage, plugin in made(orders, run_again)]
        for link in links:
            link.plugin.open()
        tune()
        tell(Frame("ready"))
        while (job := receive(peer)) is not None:
            tell(answer(links, job, as_json=as_json))
    except OSError as error:
        last_words(tell, error)
    except BaseException as error:  # noqa: BLE001 - whatever ended this process, the agent tells of it
        last_words(tell, error)
    finally:
        for link in links:
            link.plugin.close()


def last_words(tell: Callable[[Frame], None], error: BaseException) -> None:
    """Say what ended this process, if anybody listens."""
    told = f"{type(error).__name__}: {plain(str(error))}"
    with contextlib.suppress(OSError):  # the agent is gone, too
        tell(Frame("failed", (told, "".join(traceback.format_exception(error)))))


def lead_log_to(tell: Callable[[Frame], None], where: Mapping[str, str], level: int) -> None:
    """Lead the log of this process to the agent's."""
    WHERE.set(where)
    root = logging.getLogger()
    root.addHandler(ToAgent(tell, where))
    root.setLevel(max(level, logging.WARNING))
    logging.getLogger("swak").setLevel(level)


class ToAgent(logging.Handler):
    """Sends each line of the log to the agent, where it looks like those of all other stages."""

    def __init__(self, tell: Callable[[Frame], None], where: Mapping[str, str]) -> None:
        super().__init__()
        self._tell = tell
        self._where = where

    def emit(self, record: logging.LogRecord) -> None:
        try:
            told: Mapping[str, Any] = getattr(record, "swak_fields", self._where)
            fields = {name: one if type(one) in _PLAIN else plain(one) for name, one in told.items()}
            if record.exc_info:
                fields["exception"] = "".join(traceback.format_exception(*record.exc_info))
            own = {"swak_event": getattr(record, "swak_event", ""), "swak_fields": fields}
            self._tell(Frame("log", (record.name, record.levelno, record.getMessage(), own)))
        except Exception:  # noqa: BLE001 - logging's own way: told on stderr where that is possible
            self.handleError(record)


def answer(links: Sequence[Link], job: Frame, *, as_json: bool) -> Frame:
    """Run one batch through the filters. What is raised here ends the worker, with that batch in hand."""
    number, head = job.values
    body, tags = unpack((head, job.payloads[0]))
    passage = through(links, Batch(body, tags, unused_ack(Source(""))))
    outcome = passage.outcome
    parts = encoded_parts(outcome.parts) if as_json else outcome.parts
    packed = [one for part in bounded(parts) for one in _packed(*part, outcome, links[-1].stage)]
    dead = [(one.event.tag, one.event.time_ns, _carried(one.event.record)[0], *one[1:]) for one in outcome.dead]
    values = (number, [head for head, _ in packed], passage.filtered, outcome.made, dead, passage.errors)
    return Frame("answer", values, tuple(payload for _, payload in packed))


def _packed(body: Body, tags: str | list[str], outcome: Outcome, stage: str) -> list[Packed]:
    """Pack a body; events that hold what cannot leave this process become dead letters."""
    try:
        return [pack(body, tags)]
    except Exception:  # noqa: BLE001 - pickle raises whatever a value's own code does
        events = Batch(body, tags, unused_ack(Source(""))).events()
    kept: list[Event] = []
    for event in events:
        record, why = _carried(event.record)
        if why:
            outcome.dead.append(DeadEvent(event.replace(record=record), f"cannot leave its worker: {why}", "", stage))
        else:
            kept.append(event)
    return [pack(*gather(kept))] if kept else []


def _carried(record: Record) -> tuple[Record, str]:
    """Return the record, and why some of its values had to be shown as text: no other process can have them."""
    try:
        pickle.dumps(record, protocol=5)
    except Exception as error:  # noqa: BLE001 - as above
        return {str(name): one if type(one) in _PLAIN else plain(one) for name, one in record.items()}, repr(error)
    return record, ""
