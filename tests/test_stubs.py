"""The generated pages."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Literal

import pytest

from swak import Duration, Output, Size, option, stubs
from swak.discovery import Found

ROOT = Path(__file__).parent.parent


class Sample(Output):
    r"""Take everything.

    A pattern may hold `\w`.

    Example:
        `task(in_.Counter(3), out.Sample("x"))`
    """

    path: str | list[str] = option("Where | how.")
    wait: Duration | None = option("How long.", default="5s")
    size: Size = option("How much.", default=10)
    form: Literal["json", "it's"] = option("Which.", default="json")
    seen: list[object] = option("Anything.", default=())
    token: str = option("The password.", default="hush", secret=True)


@pytest.fixture
def sample(monkeypatch: pytest.MonkeyPatch) -> Found:
    found = Found("Sample", "output", "swak", "Take everything.", Sample)
    monkeypatch.setattr(stubs, "standard", lambda: [found])
    return found


def test_the_stub_is_current() -> None:
    assert (ROOT / "swak" / "reference.pyi").read_text(encoding="utf-8") == stubs.stub_text(), "run: make reference"


def test_the_page_of_plugins_is_current() -> None:
    assert (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8") == stubs.docs_text(), "run: make reference"


@pytest.mark.usefixtures("sample")
def test_the_stub_shows_what_may_be_written_for_each_option() -> None:
    text = stubs.stub_text()
    ast.parse(text)
    assert "        path: str | Sequence[str],\n" in text
    assert "        *,\n        retry_for: Duration | str | float | None = None,\n    )" in text
    assert '        wait: Duration | str | float | None = "5s",\n' in text
    assert "        size: Size | str | int = 10,\n" in text
    assert "        seen: Sequence[Any] = ...,\n" in text
    assert "from typing import Any, Literal\n" in text
    assert """        form: Literal["json", "it's"] = "json",\n""" in text


def test_another_name_of_a_plugin_takes_the_place_of_no_base_class() -> None:
    text = stubs.stub_text()
    assert "    Filter = Grep\n" in text
    assert "-> Callable[..., swak.plugin.Filter | swak.plugin.Buffer | swak.plugin.Output]:\n" in text


@pytest.mark.parametrize("value", ["a", "it's", 'say "hi"', "\"'", "\\", '\n\'""'])
def test_a_default_is_written_as_the_text_that_it_is(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Marked(Output):
        """Mark."""

        mark: str = option("The mark.", default=value)

    monkeypatch.setattr(stubs, "standard", lambda: [Found("Marked", "output", "swak", "Mark.", Marked)])
    (written,) = re.findall(r"mark: str = (.*),\n", stubs.stub_text())
    assert ast.literal_eval(written) == value


def test_a_long_choice_stands_on_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    class Chosen(Output):
        """Choose."""

        form: Literal["a long choice of words", "another long choice of words", "and one more long choice of words"] = (
            option("Which.", default="a long choice of words")
        )

    monkeypatch.setattr(stubs, "standard", lambda: [Found("Chosen", "output", "swak", "Choose.", Chosen)])
    text = stubs.stub_text()
    assert '        form: Literal[\n            "a long choice of words", "another' in text
    assert '\n        ] = "a long choice of words",\n' in text


@pytest.mark.usefixtures("sample")
def test_secret_defaults_appear_nowhere() -> None:
    assert "        token: str = ...,\n" in stubs.stub_text()
    assert "hush" not in stubs.stub_text() + stubs.docs_text()


@pytest.mark.usefixtures("sample")
def test_the_page_has_docstring_example_and_options() -> None:
    text = stubs.docs_text()
    assert "### out.Sample\n\nTake everything.\n\nA pattern may hold `\\w`." in text
    assert '```python\ntask(in_.Counter(3), out.Sample("x"))\n```' in text
    assert "| `path` | str \\| list[str] | required | Where \\| how. |" in text


def test_a_built_in_plugin_that_cannot_be_imported_stops_the_generation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stubs, "standard", lambda: [Found("x", "output", "swak", trouble="cannot be loaded")])
    with pytest.raises(ImportError, match=r"out\.x cannot be loaded"):
        stubs.stub_text()
