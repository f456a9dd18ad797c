"""The live view: watches an agent on the terminal, or with progress lines in the log where there is none."""

from __future__ import annotations

import contextlib
import queue
import signal
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from swak.clock import SYSTEM, Clock
from swak.errors import SwakError
from swak.log import Log
from swak.view.aside import give_back_stderr
from swak.view.choices import Choices, Wish
from swak.view.keyboard import NoKeyboard
from swak.view.model import Frame, Key
from swak.view.progress import progress
from swak.view.rates import Delays, Rates, Trends

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from swak.view.keyboard import Keyboard
    from swak.view.model import Peek, Subject
    from swak.view.screen import Screen

LOOK_S = 0.5
"""How often the figures are looked at. The picture changes that often, and at once with a key or the window."""
SIZE_S = 0.25
"""How often the window's size is looked at."""
PAINT_S = 0.05
"""How soon after another a picture may come, whatever is typed."""
POUR_S = 1.0
"""How often what was logged meanwhile is written to the terminal's first screen."""
NOTICE_S = 5.0
"""How long an answer is shown."""
PROGRESS_S = 30.0
EVENTS_KEPT = 200
"""Events that a tap keeps: no window shows more."""

_log = Log("swak.view")


class View:
    """Watches an agent from a thread of its own: draws on `console`, or writes progress lines without one.

    Should drawing fail (the terminal has gone), it gives the terminal back, tells so in the log and goes on with
    progress lines. Nothing that happens here reaches the run.
    """

    def __init__(
        self,
        subject: Subject,
        recipe: str,
        console: Console | None,
        clock: Clock = SYSTEM,
        *,
        keyboard: Keyboard | None = None,
        leave: Callable[[], str] | None = None,
        leaving: str = "quit",
        failed: Callable[[Exception], None] | None = None,
    ) -> None:
        """`leave`: what q does; it returns what to say then. `leaving`: the same in a word, for the hints.

        `failed` is called when drawing fails, instead of progress lines.
        """
        self._subject = subject
        self._recipe = recipe
        self._console = console
        self._clock = clock
        self._keyboard: Keyboard = keyboard or NoKeyboard()
        self._leave = leave or (lambda: "")
        self._failed = failed
        self._choices = Choices(has_keys=self._keyboard.has_keys, leaving=leaving)
        self._rates, self._trends, self._delays = Rates(), Trends(), Delays()
        self._over = threading.Event()
        self._signals: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._screen: Screen | None = None
        self._before: dict[int, Any] = {}
        self._thread = threading.Thread(target=self._run, name="swak-view", daemon=True)

    def start(self) -> None:
        """Begin to watch. By the main thread, where Ctrl-Z is to give the terminal back first."""
        if self._console is not None and threading.current_thread() is threading.main_thread():
            self._heed_stops()
        self._thread.start()

    def stop(self) -> None:
        """Give the terminal back. Waits two seconds at most: a stopped terminal may take no text."""
        self._over.set()
        self._keyboard.wake()
        if self._thread.ident is not None:
            self._thread.join(2.0)
        if self._thread.is_alive():
            self._give_back()
        else:
            self._keyboard.close()
        for number, before in self._before.items():
            signal.signal(number, before)

    @property
    def is_drawn(self) -> bool:
        """Whether it has the terminal to draw on, and does so again and again."""
        return self._console is not None

    def resumed(self) -> None:
        """Take the terminal again and draw anew: the process was stopped, and goes on."""
        self._signals.put(signal.SIGCONT)
        self._keyboard.wake()

    @property
    def is_alive(self) -> bool:
        """Whether its thread is at work."""
        return self._thread.is_alive()

    def frame(self) -> Frame:
        """Return what is to be shown now."""
        look = self._subject.look()
        now_s = look.uptime_s
        rates, trends = self._rates.update(look.views, now_s), self._trends.update(look.views, now_s)
        return Frame(self._recipe, look, rates, trends, self._delays.update(look, now_s))

    def _heed_stops(self) -> None:
        """Give the terminal back before Ctrl-Z stops us, and take it again after `fg`."""
        for name in ("SIGTSTP", "SIGCONT"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) in {signal.SIG_DFL, None}:
                self._before[number] = signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _frame: object) -> None:
        self._signals.put(number)
        self._keyboard.wake()
        if number != signal.SIGCONT and not self._thread.is_alive():
            signal.raise_signal(signal.SIGSTOP)  # nobody else is there to do it

    def _give_back(self) -> None:
        """Give the terminal back in place of the thread, which is stuck: whoever types next wants to see it."""
        screen = self._screen
        if screen is None or not screen.close(within_s=0.5):  # it is stuck in writing: so would we be
            give_back_stderr()
        self._keyboard.leave()

    # The thread

    def _run(self) -> None:
        try:
            if self._console is not None:
                try:
                    return self._draw(self._console)
                except Exception as error:  # noqa: BLE001 - whatever it was, the run must not stop for a picture
                    if self._failed is not None:
                        return self._failed(error)
                    _log.warning("live view ended, progress lines follow", error=error)
            self._tell()
        except Exception as error:  # noqa: BLE001 - see above
            _log.error("the run goes on unwatched", exc_info=error)

    def _draw(self, console: Console) -> None:
        from swak.view.screen import Screen  # noqa: PLC0415 - progress lines need no Rich

        with contextlib.ExitStack() as left:
            screen = self._screen = left.enter_context(Screen(console))
            left.callback(self._keyboard.leave)
            drawing = Drawing(screen, self._keyboard, self._choices, self._clock)
            left.callback(drawing.untap)
            while not self._over.is_set():
                while not self._signals.empty():
                    self._obey(self._signals.get(), screen)
                if drawing.present():
                    drawing.show(self.frame)
                for pressed in drawing.wait():
                    wish = self._choices.react(pressed, drawing.frame) if drawing.frame is not None else None
                    if wish is not None:
                        self._fulfil(wish, drawing)

    def _obey(self, number: int, screen: Screen) -> None:
        screen.leave()
        self._keyboard.leave()
        if number != signal.SIGCONT:  # a thread that stops itself has stopped when the call returns
            signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)

    def _fulfil(self, wish: Wish, drawing: Drawing) -> None:
        """Do what a key asked for, and say what became of it."""
        name = "/".join(wish.stage)
        try:
            match wish.what:
                case "quit":
                    drawing.say(self._leave())
                case "redraw":
                    drawing.screen.forget()
                case "untap":
                    drawing.untap()
                case "tap":
                    rate = drawing.frame.rates.get(wish.stage, 0.0) if drawing.frame is not None else 0.0
                    drawing.untap()
                    drawing.peek = self._subject.peek(wish.stage, rate)
                case "pause" | "resume":
                    self._subject.pause(wish.stage, on=wish.what == "pause")
                    drawing.say(f"{name} is paused; p resumes it" if wish.what == "pause" else f"{name} goes on")
                    drawing.look_again()
        except SwakError as error:
            self._choices.tapped = None if wish.what == "tap" else self._choices.tapped
            drawing.say(str(error))

    def _tell(self) -> None:
        if self._over.wait(1.0):  # so short a run has its receipt, and need not pay for structlog and psutil
            return
        _log.info("running", recipe=self._recipe, stages=len(self._subject.look().views))
        while not self._over.wait(PROGRESS_S):
            _log.info("progress", **progress(self.frame()))


class Drawing:
    """What is on the screen, and when it is to be drawn again."""

    def __init__(self, screen: Screen, keyboard: Keyboard, choices: Choices, clock: Clock) -> None:
        from swak.view.cells import Pen  # noqa: PLC0415 - progress lines need no Rich

        self.screen = screen
        self.frame: Frame | None = None
        self.peek: Peek | None = None
        self._pen = Pen(screen.encoding)
        self._keyboard = keyboard
        self._choices = choices
        self._clock = clock
        self._events: deque[str] = deque(maxlen=EVENTS_KEPT)
        self._tapped: Key | None = None
        self._notice, self._notice_until_s = "", 0.0
        self._looked_s = self._poured_s = float("-inf")
        self._drawn_size = (0, 0)
        self._stale = True
        """Whether something has changed since the last picture."""

    def present(self) -> bool:
        """Have the terminal, unless another job has it now. Return whether we do."""
        if not (self.screen.ours() and self._keyboard.ours()):
            self.screen.leave()
            self._keyboard.leave()
            self.screen.pour()
            return False
        self._keyboard.enter()
        if not self.screen.entered:
            self.screen.enter()
            self._stale = True
        return True

    def show(self, look: Callable[[], Frame]) -> None:
        """Draw what has changed; the figures are looked at when it is time."""
        from swak.view.drawing import draw  # noqa: PLC0415 - progress lines need no Rich
        from swak.view.panes import Extras, Scene  # noqa: PLC0415 - as above

        now_s = self._clock.monotonic()
        if now_s - self._looked_s >= LOOK_S or self.frame is None:
            self._looked_s = now_s
            self.frame = look()
            self._take_events()
            self._stale = True
        if now_s - self._poured_s >= POUR_S:
            self._poured_s = now_s
            self._stale |= self.screen.pour()
        size = width, height = self.screen.size
        if not self._stale and size == self._drawn_size:
            return
        self._stale, self._drawn_size = False, size
        if now_s >= self._notice_until_s:
            self._notice = ""
        aside, peek = self.screen.aside, self.peek
        logged = list(aside.shown) if aside is not None else []
        extras = Extras(list(self._events), peek.left_out if peek is not None else 0, logged, self._notice)
        self._choices.has_keys = self._keyboard.has_keys
        self.screen.paint(draw(Scene(self.frame, self._choices, width, height, self._pen, extras)), size)

    def wait(self) -> list[str]:
        """Return the keys that are pressed until the next picture is due."""
        now_s = self._clock.monotonic()
        due_s = min(self._looked_s + LOOK_S, now_s + SIZE_S)
        keys = self._keyboard.wait(max(PAINT_S, due_s - now_s))
        self._stale |= bool(keys)
        return keys

    def say(self, notice: str) -> None:
        """Show a line for a while."""
        self._notice, self._notice_until_s = notice, self._clock.monotonic() + NOTICE_S

    def look_again(self) -> None:
        """Look at the figures at once."""
        self._looked_s = float("-inf")

    def untap(self) -> None:
        """Look at no events any more."""
        peek, self.peek = self.peek, None
        self._events.clear()
        if peek is not None:
            peek.close()

    def _take_events(self) -> None:
        if self.peek is None:
            return
        try:
            self._events.extend(self.peek.take())
        except SwakError as error:
            self.say(str(error))
            self._choices.tapped = None
            self.untap()
