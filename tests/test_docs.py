"""The code that the documents show works."""

from __future__ import annotations

import re

import pytest

from swak.errors import ConfigError
from swak.topology.compile import compile_recipe
from swak.topology.load import load_text
from tests.house import ROOT

WRONG_ON_PURPOSE = "Nginks"


def blocks(name: str) -> list[str]:
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("text", [one for one in blocks("tutorial.md") if WRONG_ON_PURPOSE not in one])
def test_a_recipe_of_the_tutorial_compiles(text: str) -> None:
    assert compile_recipe(load_text(text)).flows


@pytest.mark.parametrize("text", [one for one in blocks("tutorial.md") if WRONG_ON_PURPOSE in one])
def test_the_tutorials_mistakes_are_told_as_it_shows(text: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load_text(text)
    shown = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    assert all(f"  {one.what}; {one.mend}\n" in shown for one in raised.value.problems)


def test_the_plugins_of_the_howto_do_what_it_says() -> None:
    names: dict[str, object] = {"__name__": "swak_howto"}
    for text in blocks("plugins-howto.md"):
        exec(compile(text, "plugins-howto.md", "exec", dont_inherit=True), names)
    tests = [value for name, value in names.items() if name.startswith("test_") and callable(value)]
    assert tests
    for one in tests:
        one()
