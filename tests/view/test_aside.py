from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

from swak.view.aside import KEPT_MAX, SHOWN_MAX, Aside, give_back_stderr

if TYPE_CHECKING:
    import pytest


def test_lines_are_kept_until_they_are_written() -> None:
    file = io.StringIO()
    aside = Aside(file)
    aside.write("one\ntw")
    aside.writelines(["o\n", "three\n"])
    aside.flush()
    assert file.getvalue() == ""
    waited = aside.waits
    aside.write_out()
    assert file.getvalue() == "one\ntwo\nthree\n"
    assert [waited, aside.waits] == [True, False]
    assert list(aside.shown) == ["one", "two", "three"]


def test_nothing_is_lost_at_the_end() -> None:
    file = io.StringIO()
    aside = Aside(file)
    aside.write("one\nhalf a line")
    aside.end()
    aside.write("later\n")
    aside.flush()
    assert file.getvalue() == "one\nhalf a line\nlater\n"


def test_a_flood_is_counted_and_not_kept() -> None:
    file = io.StringIO()
    aside = Aside(file)
    aside.write("x\n" * (KEPT_MAX + 5))
    aside.write_out()
    assert file.getvalue().count("x\n") == KEPT_MAX
    assert file.getvalue().endswith("(5 more lines were left out: the terminal took none)\n")
    assert len(aside.shown) == SHOWN_MAX


def test_it_is_the_terminal_in_all_other_respects() -> None:
    file = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    assert Aside(file).encoding == "latin-1"
    assert Aside(file).isatty() is False


def test_stderr_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    monkeypatch.setattr(sys, "stderr", Aside(file))
    give_back_stderr()
    give_back_stderr()
    assert sys.stderr is file
