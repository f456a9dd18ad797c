"""What a look found, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from swak.log import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Level = Literal["ok", "note", "warning", "failed"]
SIGNS: dict[Level, str] = {"ok": "ok", "note": "--", "warning": "!!", "failed": "XX"}


class Finding(NamedTuple):
    """One thing that was looked at."""

    area: str
    """machine, data directory, recipe or connection."""
    subject: str
    level: Level
    what: str
    mend: str = ""

    def __str__(self) -> str:
        mend = f"; {plain(self.mend)}" if self.mend else ""
        return f"{SIGNS[self.level]}  {plain(self.subject)}: {plain(self.what)}{mend}"


def lines(findings: Iterable[Finding]) -> Iterator[str]:
    """Yield the findings for people, by area."""
    area = ""
    for one in findings:
        if one.area != area:
            yield from ([""] if area else [])
            area = one.area
            yield f"{area}:"
        yield f"  {one}"
