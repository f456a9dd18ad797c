from __future__ import annotations

import threading
from typing import Any

import pytest

from swak.control import snippets
from swak.control.snippets import OUT_CHARS, Snippet
from tests.flows.waiting import WAIT_S, until


def run(code: str, names: dict[str, Any] | None = None, *, writes: bool = True, limit_s: float = WAIT_S) -> Snippet:
    snippet = Snippet(code, {} if names is None else names, limit_s, writes=writes)
    snippet.start()
    until(lambda: not snippet.runs, code)
    return snippet


def test_the_last_value_is_printed_and_named() -> None:
    names: dict[str, Any] = {}
    assert run("x = 5\nprint('is', x, sep='-', end='!')\nx + 1", names).take() == "is-5!6\n"
    assert run("_ * 2", names).take() == "12\n"
    assert run("None", names).take() == ""
    assert run("", names).outcome == "done"


@pytest.mark.parametrize("writes", [False, True])
@pytest.mark.parametrize(
    "code",
    [
        "while True: pass",
        "for _ in iter(int, 1): pass",
        "[one for one in forever]",
        "{one for one in forever}",
        "sum(one for one in forever)",
        "list(map(lambda one: one, forever))",
        "for one in forever:\n    for two in forever: pass",
        "while True: print('x' * 1000)",
    ],
)
def test_what_never_ends_is_ended(code: str, writes: bool) -> None:
    from itertools import count

    outcome = run(code, {"forever": count()}, writes=writes, limit_s=0.05).outcome
    assert outcome == ("refused" if "iter(" in code and not writes else "stopped")


def test_a_function_that_calls_itself_and_swallows_everything_is_ended() -> None:
    body = "    'doc'\n    try:\n        return f(n - 1) + f(n - 1) if n else 0\n    except Exception: pass\n"
    code = f"def f(n):\n{body}f(60)"
    assert run(code, limit_s=0.05).outcome == "stopped"


def test_a_function_that_was_left_behind_prints_to_who_calls_it_and_is_ended_by_nobody() -> None:
    names: dict[str, Any] = {}
    run("def f():\n    for n in range(3): print(n)", names, limit_s=0.001)
    assert run("f()", names).take() == "0\n1\n2\n"
    elsewhere = threading.Thread(target=names["f"])
    elsewhere.start()
    elsewhere.join(WAIT_S)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("1 / 0", 'File "<attach>", line 1, in <module>\nZeroDivisionError'),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("exit()", "Ctrl-D leaves"),
        ("input()", "there is no terminal inside the agent"),
        ("breakpoint()", "there is no terminal"),
        ("1 +", "SyntaxError"),
        ("x = '\\0'\0", "null bytes"),
        ("(" * 10_000, "Error"),
        ("1" + "+1" * 50_000, "Error"),
        ("class E(Exception):\n    def __str__(self): raise KeyboardInterrupt\nraise E", "E"),
        ("class R:\n    def __repr__(self): raise SystemExit\nR()", "SystemExit"),
        ("def f(): f()\nf()", "RecursionError"),
    ],
)
def test_what_it_raises_is_told_and_ends_nothing_else(code: str, told: str) -> None:
    snippet = run(code)
    assert snippet.outcome == "raised"
    assert told in snippet.trace


def test_our_own_frames_are_in_no_traceback() -> None:
    assert "snippets.py" not in run("1 / 0").trace


def test_only_so_much_is_printed() -> None:
    snippet = run("for _ in range(2_000): print('x' * 999)")
    assert len(snippet.take()) == OUT_CHARS
    assert snippet.left_out == 2_000_000 - OUT_CHARS
    assert snippet.outcome == "done"


def test_who_only_looks_has_few_functions() -> None:
    assert run("len(x)", {"x": "abc"}, writes=False).take() == "3\n"
    slip = run("import os", writes=False)
    assert (slip.outcome, slip.trace) == ("refused", "line 1: no import; without --write an attached prompt only looks")
    assert run("open", writes=False).trace.endswith("NameError: name 'open' is not defined\n")


def test_who_writes_has_all_of_python() -> None:
    assert run("import math\nwith open('/dev/null') as f: pass\nmath.floor(1.5)").take() == "1\n"


def test_what_has_to_be_long_is_shown_in_lines() -> None:
    shown = run("{name: list('abcdefgh') for name in 'abcd'}").take()
    assert shown.count("\n") == 4


def test_a_call_that_does_not_return_cannot_be_ended() -> None:
    gate = threading.Event()
    snippet = Snippet("gate.wait(20)", {"gate": gate}, 0.01, writes=True)
    snippet.start()
    snippet.stop()
    assert snippet.runs
    gate.set()
    until(lambda: not snippet.runs, "it ends when the call does")


def test_the_output_goes_to_nobody_else(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("print('secret')").take() == "secret\n"
    run("import sys\nprint('log', file=sys.stderr)")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "log\n")


def test_a_tick_outside_of_a_snippet_does_nothing() -> None:
    assert snippets._tick()
