"""A piece of Python that runs in the agent, on a thread of its own, for a limited time and with a limited output."""

from __future__ import annotations

import ast
import builtins
import pprint
import sys
import threading
import time
import traceback
from typing import TYPE_CHECKING, Any

from swak.control.shots import Shot, thawed
from swak.control.slips import Slip, builtins_for_looking, check

if TYPE_CHECKING:
    from collections.abc import Callable

FILE = "<attach>"
OUT_CHARS = 100_000
"""What one snippet may print; the rest is counted."""
WIDTH = 100
FRAMES_MAX = 30
TICK = "__swak_tick__"
"""Called by what loops in a snippet: there it can be ended without harm to anything that it has called."""

_own = threading.local()


class Stopped(BaseException):
    """A snippet's time is over. Raised between its own statements only, never inside of what it calls."""


class Snippet:
    """One piece of code. All but `_run` is called by the control thread."""

    def __init__(
        self,
        code: str,
        names: dict[str, Any],
        limit_s: float,
        *,
        writes: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`names`: what it knows by name; what it assigns stays there."""
        self.code = code
        self.outcome = ""
        """Empty while it runs; then done, raised, refused (it would do more than look) or stopped."""
        self.trace = ""
        self.left_out = 0
        """Characters that it has printed and that nobody will see."""
        self.began_s = clock()
        self.until_s = self.began_s + limit_s
        self._names = names
        self._writes = writes
        self._clock = clock
        self._lock = threading.Lock()
        self._parts: list[str] = []
        self._room = OUT_CHARS
        self._thread = threading.Thread(target=self._run, name="swak:attach", daemon=True)

    def start(self) -> None:
        """Begin. RuntimeError: the system gives no thread."""
        self._thread.start()

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Have it end before its next statement in a loop or a function."""
        self.until_s = min(self.until_s, self._clock())

    def take(self) -> str:
        """Return what it has printed since this was called last."""
        with self._lock:
            parts, self._parts = self._parts, []
        return "".join(parts)

    # Its own thread

    def tick(self) -> None:
        """End it when its time is over."""
        if self._clock() > self.until_s:
            raise Stopped

    def write(self, text: str) -> None:
        """Print a text, as far as there is room."""
        self.tick()
        with self._lock:
            kept = text[: self._room]
            self._room -= len(kept)
            self.left_out += len(text) - len(kept)
            if kept:
                self._parts.append(kept)

    def _run(self) -> None:
        _own.snippet = self
        outcome = "done"
        try:
            self._evaluate()
        except Stopped:
            outcome = "stopped"
        except Slip as error:
            outcome, self.trace = "refused", str(error)
        except BaseException as error:  # noqa: BLE001 - SystemExit and KeyboardInterrupt end the snippet, nothing else
            outcome, self.trace = "raised", _trace(error)
        self.outcome = outcome

    def _evaluate(self) -> None:
        tree = ast.parse(self.code, FILE)
        if not self._writes:
            check(tree)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        self._names["__builtins__"] = _WRITING if self._writes else _LOOKING
        if tree.body:
            exec(_ticking(tree), self._names)  # noqa: S102 - what this is for
        if isinstance(last, ast.Expr):
            value = eval(_ticking(ast.Expression(last.value)), self._names)  # noqa: S307 - as above
            if value is not None:
                self._names["_"] = value
                self.write(_shown(value) + "\n")


def _tick() -> bool:
    """End the snippet of this thread when its time is over. A function that it has left behind ends nobody else."""
    snippet: Snippet | None = getattr(_own, "snippet", None)
    if snippet is not None:
        snippet.tick()
    return True


def _print(
    *values: object, sep: str | None = " ", end: str | None = "\n", file: Any = None, flush: bool = False
) -> None:
    """Print to whoever has sent the snippet of this thread."""
    snippet: Snippet | None = getattr(_own, "snippet", None)
    if file is None and snippet is not None:
        snippet.write((" " if sep is None else sep).join(map(str, values)) + ("\n" if end is None else end))
    else:  # where the code says; what was left behind in another thread tells the agent's log
        print(*values, sep=sep, end=end, file=file or sys.stderr, flush=flush)


def _no_terminal(*_: object) -> None:
    raise RuntimeError("there is no terminal inside the agent")


def _leave(*_: object) -> None:
    raise SystemExit("Ctrl-D leaves the prompt; swak stop ends the agent")


_OWN: dict[str, Any] = {"print": _print, TICK: _tick}
_LOOKING = builtins_for_looking() | _OWN
_WRITING = vars(builtins) | _OWN | dict.fromkeys(("exit", "quit"), _leave)
_WRITING |= dict.fromkeys(("input", "breakpoint", "help"), _no_terminal)


def _shown(value: Any) -> str:
    if isinstance(value, Shot | dict | list | tuple | set | frozenset):
        return pprint.pformat(thawed(value), width=WIDTH, sort_dicts=False)
    return repr(value)


def _trace(error: BaseException) -> str:
    """Return the traceback from the snippet's own frames on."""
    frame = error.__traceback__
    while frame is not None and frame.tb_frame.f_code.co_filename != FILE:
        frame = frame.tb_next
    try:
        lines = traceback.format_exception(type(error), error, frame, limit=-FRAMES_MAX)
    except BaseException as failure:  # noqa: BLE001 - its text is made by code of the snippet's own
        lines = [f"{type(error).__name__}, which cannot be shown: {type(failure).__name__}\n"]
    return "".join(lines)[:OUT_CHARS]


class _Ticking(ast.NodeTransformer):
    """Puts a call of `_tick` into everything that can go on for ever."""

    def visit(self, node: ast.AST) -> Any:
        """Change what is inside first."""
        self.generic_visit(node)
        if isinstance(node, ast.For | ast.AsyncFor | ast.While):
            node.body.insert(0, ast.Expr(_call()))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.body.insert(int(ast.get_docstring(node) is not None), ast.Expr(_call()))
        elif isinstance(node, ast.comprehension):
            node.ifs.insert(0, _call())
        elif isinstance(node, ast.Lambda):
            node.body = ast.IfExp(_call(), node.body, ast.Constant(None))
        return node


def _call() -> ast.Call:
    return ast.Call(ast.Name(TICK, ast.Load()), [], [])


def _ticking(tree: Any) -> Any:
    """Compile a tree so that its loops and functions can be ended."""
    return compile(ast.fix_missing_locations(_Ticking().visit(tree)), FILE, "exec" if _is_module(tree) else "eval")


def _is_module(tree: object) -> bool:
    return isinstance(tree, ast.Module)
