from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from swak.reloading.sameness import class_of, print_of
from swak.topology.compile import compile_recipe
from swak.topology.load import load_text

if TYPE_CHECKING:
    from swak.topology.graph import Stage

HEAD = """
import re
LIMIT = {limit}
def known(event):
    return event.record.get("n", 0) > LIMIT
class Base(Filter):
    word: str = option("A word.", default="x")
    def process(self, event):
        return event if known(event) else None
class Mine(Base):
    {comment}
    def extra(self):
        return {extra}
"""


def stage(text: str, name: str = "Mine") -> Stage:
    return compile_recipe(load_text(text)).flows[0].stage(name)


def mine(options: str = "", limit: int = 1, extra: str = "1", comment: str = "pass") -> Any:
    head = HEAD.format(limit=limit, extra=extra, comment=comment)
    return print_of(stage(f"{head}\ntask(in_.Memory(), Mine({options}), out.Null())"))


def test_a_class_of_a_recipe_is_the_same_when_it_is_loaded_again() -> None:
    assert mine() == mine()
    assert mine(comment="# nothing new\n    pass") == mine()


@pytest.mark.parametrize("other", [{"options": "'y'"}, {"limit": 2}, {"extra": "2"}, {"extra": "[x for x in (1, 3)]"}])
def test_a_class_is_another_when_its_options_or_anything_that_it_refers_to_differ(other: dict[str, Any]) -> None:
    assert mine(**other) != mine()


def test_functions_as_options_count_by_what_they_do() -> None:
    def made(body: str) -> Any:
        text = "class F(Filter):\n  f: object = option('F.')\n  def process(self, event): return event\n"
        return print_of(stage(f"{text}task(in_.Memory(), F({body}), out.Null())", "F"))

    assert made("lambda event: event") == made("lambda event:  event")
    assert made("lambda event: event") != made("lambda event: [event]")
    assert made("re.compile('a')".replace("re.", "__import__('re').")) == made("__import__('re').compile('a')")
    assert made("{1: [2, {3}]}") == made("{1: [2, {3}]}")
    assert made("{1: [2, {3}]}") != made("{1: [2, {4}]}")


def test_what_cannot_be_compared_is_different() -> None:
    text = "class F(Filter):\n  f: object = option('F.')\n  def process(self, event): return event\n"
    both = [stage(f"{text}task(in_.Memory(), F(object()), out.Null())", "F") for _ in range(2)]  # at the same time
    assert print_of(both[0]) != print_of(both[1])


def test_what_contains_itself_comes_to_an_end() -> None:
    text = (
        "a = []\na.append(a)\nclass F(Filter):\n  f: object = option('F.')\n  def process(self, event): return event\n"
    )
    made = [print_of(stage(f"{text}task(in_.Memory(), F(a), out.Null())", "F")) for _ in range(2)]
    assert made[0] == made[1]
    deep = f"a = []\nfor _ in range(100_000): a = [a]\n{text.partition('class')[1]}{text.partition('class')[2]}"
    assert print_of(stage(f"{deep}task(in_.Memory(), F(a), out.Null())", "F"))


def test_a_child_of_a_failover_is_no_output_of_its_own() -> None:
    one = stage("task(in_.Memory(), failover(out.Null()))", "Null")
    other = stage("task(in_.Memory(), out.Null())", "Null")
    assert print_of(one) != print_of(other)
    assert class_of(one) == class_of(other)


def test_inputs_that_keep_positions_under_other_names_are_not_of_one_class() -> None:
    one, other = (stage(f"task(in_.FileTailing({path!r}), out.Null())", "FileTailing") for path in ("a", "b"))
    assert class_of(one) != class_of(other)
