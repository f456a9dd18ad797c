"""Tag patterns: `*`, `**`, `{a,b}` and spaces, as Fluentd's match sections write them."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

TAGS_REMEMBERED = 4_096
"""Tags whose answer a pattern remembers. A sender that makes up tags must not fill the memory."""

ALTERNATIVES_MAX = 1_000
"""Patterns that braces may stand for; each pair of braces multiplies them."""


def compile_pattern(pattern: str) -> Callable[[str], bool]:
    """Return a test for tags, remembered by tag. ValueError says what is wrong with the pattern.

    `*` stands for one part of a tag (within a part: for any characters of it), `**` for any number of parts,
    none included; `{a,b}` for a or b; a space separates patterns of which any may match. Parts are separated by dots.
    """
    if not isinstance(pattern, str) or not pattern.strip():
        raise ValueError(f'a tag pattern is a text such as "web.**", not {pattern!r}')
    choices = [parts for word in pattern.split() for plain in _expand(word, pattern) for parts in _parts(plain)]

    @lru_cache(TAGS_REMEMBERED)
    def matches(tag: str) -> bool:
        parts = tag.split(".")
        return any(_matches(choice, parts) for choice in choices)

    return matches


def _expand(word: str, pattern: str) -> list[str]:
    """Return the words that `{a,b}` stand for, nested ones included."""
    done, waiting = [], [word]
    while waiting:
        one = waiting.pop()
        close = one.find("}")
        open_ = one.rfind("{", 0, close) if close >= 0 else -1
        if open_ < 0 and not ("{" in one or "}" in one):
            done.append(one)
        elif open_ < 0:
            raise ValueError(f'the braces in "{pattern}" do not match: write {{a,b}} without spaces')
        else:
            waiting += [one[:open_] + inner + one[close + 1 :] for inner in one[open_ + 1 : close].split(",")]
        if len(done) + len(waiting) > ALTERNATIVES_MAX:
            raise ValueError(f'"{pattern}" stands for more than {ALTERNATIVES_MAX} patterns')
    return done


_Parts = list[re.Pattern[str] | None]
"""The parts of a pattern; None stands for `**`."""


def _parts(word: str) -> list[_Parts]:
    choices: list[_Parts] = [[]]
    for part in word.split("."):
        before, stars, after = part.partition("**")
        if "**" in after or after.startswith("*"):
            raise ValueError(f'"{part}" has more than one "**" in a part: separate them by dots')
        spread: list[_Parts] = [[None]]
        if not stars:
            spread = [[_glob(part)]]
        elif before or after:  # web** is web* or web*.** or, in the middle, with a dot on either side
            ends: _Parts = [*([_glob(before + "*")] if before else []), None, *([_glob("*" + after)] if after else [])]
            spread = [[_glob(f"{before}*{after}")], ends]
        choices = [choice + parts for choice in choices for parts in spread]
        if len(choices) > ALTERNATIVES_MAX:
            raise ValueError(f'"{word}" stands for more than {ALTERNATIVES_MAX} patterns')
    return choices


def _glob(part: str) -> re.Pattern[str]:
    """Return the expression for one part. Atomic groups keep it from trying every split of a long tag."""
    if part == "*":
        return re.compile(r".+", re.DOTALL)
    first, *rest = (re.escape(text) for text in part.split("*"))
    middle = "".join(f"(?>.*?{text})" for text in rest[:-1])
    return re.compile(first + middle + (f".*{rest[-1]}" if rest else ""), re.DOTALL)


def _matches(pattern: _Parts, parts: list[str]) -> bool:
    """Match part by part; only the latest `**` is ever widened, so the product of both lengths bounds the time."""
    at = here = 0
    star, resume = -1, 0
    while here < len(parts):
        if at < len(pattern) and pattern[at] is None:
            star, resume = at, here
            at += 1
        elif at < len(pattern) and (glob := pattern[at]) is not None and glob.fullmatch(parts[here]):
            at += 1
            here += 1
        elif star >= 0:
            resume += 1
            at, here = star + 1, resume
        else:
            return False
    return all(part is None for part in pattern[at:])
