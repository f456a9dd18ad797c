"""What each signal does to `swak up`: one table, and what stands in it."""

from __future__ import annotations

import os
import signal
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from swak import log

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from swak.actors.running import Run
    from swak.view.live import View

DUMP_S = 2.0
"""How long SIGQUIT waits for its stacks to be told: the log may lead to a pipe that nobody reads."""
QUIT_S = 5.0
"""How long SIGQUIT waits for an orderly end after that."""
TOGETHER_S = 0.1
"""How long after SIGCONT another signal counts as sent with it."""
LOOK_S = 0.02
"""How often a flush is looked at."""
BY_SIGNAL = 128
"""Shells add a signal's number to it."""

_log = log.get("swak.up")


class Steered:
    """What a signal can act on."""

    def __init__(self, run: Run, view: View | None) -> None:
        self.run = run
        self.view = view
        self.over = threading.Event()
        """Set when the command has nothing more to do."""
        self.ends = False
        """Whether a signal has asked for the end already."""


Act: TypeAlias = "Callable[[Steered], None]"
"""What a signal does. On a thread of its own; where its signal comes again meanwhile, once more after that."""


class Drain:
    """Stands in the table for a signal that drains the run, and stops it at once when one comes again."""


def stop_with_stacks(to: Steered) -> None:
    """Tell where every thread is, then stop at once. The process ends in any case, whatever hangs in it."""
    telling = threading.Thread(target=_tell_stacks, args=(to.run,), name="swak-stacks", daemon=True)
    telling.start()
    telling.join(DUMP_S)
    to.run.stop(now=True, signal=_number("SIGQUIT"))
    if not to.over.wait(QUIT_S):
        os._exit(BY_SIGNAL + _number("SIGQUIT"))


def _tell_stacks(run: Run) -> None:
    from swak.control.stacks import stacks  # noqa: PLC0415 - few runs need it

    for one in stacks(post.name for post in run.crew.posts):
        where = {"stage": one.stage} if one.stage else {"thread": one.thread}
        _log.error("stack", **where, stack="\n".join(one.lines), always=True)


def flush(to: Steered) -> None:
    """Do what `swak flush` does, and tell in the log what came of it."""
    from swak.control.flushing import FLUSH_S, flushing  # noqa: PLC0415 - few runs need it

    over = to.run.supervisor.finished
    steps = flushing(to.run.crew.posts, FLUSH_S, over.is_set)
    while True:
        try:
            next(steps)
        except StopIteration as done:
            told = done.value
            break
        over.wait(LOOK_S)
    if told["flushed"]:
        _log.info("flushed")
    else:
        _log.warning("not settled yet", waiting_flows=", ".join(told["waiting_flows"]))


def tell_state(to: Steered) -> None:
    """Tell what `swak status` does, in the log. A live view shows it anyway, and is drawn anew after `fg`.

    After a signal that ends the run it only sees to it that the process runs: systemd and `timeout` always send it.
    """
    from swak.control.figures import state_of  # noqa: PLC0415 - few runs need it

    to.over.wait(TOGETHER_S)
    if to.view is not None and to.view.is_drawn:
        to.view.resumed()
        return
    if to.ends:
        return
    told = state_of(to.run)
    stages: Mapping[str, str] = told.pop("stages")
    _log.info("state", **{name: value for name, value in told.items() if value is not None})
    for stage, state in stages.items():
        _log.info("state of a stage", stage=stage, state=state)


def hand_over(to: Steered) -> None:
    """Have another process go on, where that can be. What is in the way is told in the log."""
    to.run.crew.sockets.wish()


DRAIN = Drain()

TABLE: Mapping[str, Drain | Act] = {
    "SIGINT": DRAIN,
    "SIGTERM": DRAIN,
    "SIGBREAK": DRAIN,
    "SIGHUP": DRAIN,
    "SIGQUIT": stop_with_stacks,
    "SIGUSR1": flush,
    "SIGUSR2": hand_over,
    "SIGCONT": tell_state,
}
"""By the signal's name; of these, a system has those that it knows. What nohup or a shell ignores stays ignored."""


class Lanes:
    """Does what signals ask for, from a thread that reads their numbers.

    The interpreter's own part of a handler writes them, in whatever thread the system chose for the signal. Handlers in
    Python would run in the main thread only, and not before that has something to do: a process that was stopped when
    the signal came would serve it a minute later.
    """

    def __init__(self, steered: Steered, acts: Mapping[int, Act], drains: Collection[int] = ()) -> None:
        self.acts = acts
        self._drains = drains
        self._steered = steered
        self._asked = {number: threading.Event() for number in acts}
        self._begun: set[int] = set()
        self._reads, self.writes = socket.socketpair()
        self.writes.setblocking(False)
        self._thread = threading.Thread(target=self._serve, name="swak-signals", daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """Take no more than what has come. What is under way goes on: of a run that is over it finds nothing."""
        self._steered.over.set()
        self.writes.close()
        self._thread.join()
        self._reads.close()

    def _serve(self) -> None:
        while numbers := self._reads.recv(4096):
            for number in numbers:
                self._heed(number)

    def _heed(self, number: int) -> None:
        if number in self._drains:
            self._steered.ends = True
            self._steered.run.signals.put(number)
        elif number in self.acts:
            self._asked[number].set()
            if number not in self._begun:
                self._begun.add(number)
                threading.Thread(target=self._act, args=(number,), name="swak-signal", daemon=True).start()

    def _act(self, number: int) -> None:
        while self._asked[number].wait():
            self._asked[number].clear()
            try:
                self.acts[number](self._steered)
            except Exception as error:  # noqa: BLE001 - a run does not end because a signal could not be served
                _log.error("a signal could not be served", signal=number, exc_info=error)


@contextmanager
def signals_served(run: Any, view: View | None, on_hangup: Act | None = None) -> Iterator[None]:
    """Have signals do what stands in the table while the body goes on. `on_hangup`: what SIGHUP does instead.

    That one is served also where it was ignored: an agent in the background ignores it until it can reload.
    """
    from swak.actors.running import Run  # noqa: PLC0415 - `swak up --help` needs none of it

    table = {**TABLE, **({} if on_hangup is None else {"SIGHUP": on_hangup})}
    drains = [_number(name) for name, act in table.items() if isinstance(act, Drain) and hasattr(signal, name)]
    acts = {_number(name): act for name, act in table.items() if not isinstance(act, Drain) and hasattr(signal, name)}
    lanes = Lanes(Steered(run, view), acts if isinstance(run, Run) else {}, drains)
    before = {number: signal.getsignal(number) for number in (*drains, *lanes.acts)}
    wanted = set() if on_hangup is None or not hasattr(signal, "SIGHUP") else {_number("SIGHUP")}
    chosen = [number for number, was in before.items() if was is not signal.SIG_IGN or number in wanted]
    lanes.start()
    writes_before = signal.set_wakeup_fd(lanes.writes.fileno(), warn_on_full_buffer=False)
    for number in chosen:
        signal.signal(number, _written)
    try:
        yield
    finally:
        for number in chosen:
            signal.signal(number, before[number] or signal.SIG_DFL)  # None: whoever set it was not Python
        signal.set_wakeup_fd(writes_before)
        lanes.stop()


def _written(_number: int, _frame: object) -> None:
    """Do nothing: the number has been written when this is called."""


def _number(name: str) -> int:
    return int(getattr(signal, name))
