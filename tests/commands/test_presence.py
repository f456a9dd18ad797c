from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from swak.background.naming import find
from swak.background.places import of_this_user
from swak.commands.presence import Given, present
from swak.errors import StateError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SWAK_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (Given("/etc/swak/web.py", None, None, None), "web"),
        (Given("/etc/swak/web.py", None, "other", None), "other"),
        (Given(None, "in_.Stdin() | out.Stdout()", None, None), "text"),
        (Given("-", None, None, None), "stdin"),
    ],
)
def test_an_agent_has_the_name_that_it_was_given_or_its_recipes(given: Given, name: str) -> None:
    made = present(given, "")
    assert made is not None
    assert (made.name, given.own_name) == (name, name)
    made.release()


def test_only_who_was_given_a_name_insists_on_it() -> None:
    first, second = present(Given("web.py", None, None, None), ""), present(Given("web.py", None, None, None), "")
    assert first is not None
    assert second is not None
    assert (first.name, second.name) == ("web", "web-2")
    with pytest.raises(StateError, match="runs already"):
        present(Given("web.py", None, "web", None), "")
    first.release()
    second.release()


def test_without_a_place_an_agent_in_the_foreground_runs_all_the_same(home: Path) -> None:
    (home / "run").write_text("in the way")
    assert present(Given("web.py", None, None, None), "") is None
    with pytest.raises(StateError, match="SWAK_HOME"):
        present(Given("web.py", None, "web", None), "")


def test_a_run_that_cannot_be_controlled_is_served_by_nobody() -> None:
    made = present(Given("web.py", None, None, None), "")
    assert made is not None
    made.serve(object())
    assert find(of_this_user(), "web").details == {}
    made.release()
