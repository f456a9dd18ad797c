"""The ledger read by people: how a run goes or went, what became of its bytes, and what nobody accounts for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psutil

from swak.log import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

RUNNING, KILLED = "running", "killed"

FILES_SHOWN = 20
"""Files listed one by one; of the others there are sums."""


def state_of(run: Mapping[str, Any]) -> str:
    """Return how the run ended, "running", or "killed" when its process is gone without having said so."""
    if run["ended"]:
        return str(run["ended"])
    try:
        # a process of that number that began later is another one; the clock's steps are seldom beyond a second
        began_before = psutil.Process(run["pid"]).create_time() <= run["began_ns"] / 1e9 + 1.0
    except psutil.Error:
        return KILLED
    return RUNNING if began_before else KILLED


class Audit:
    """What a ledger says, judged."""

    def __init__(self, held: Mapping[str, Any], now_ns: int) -> None:
        self.held = held
        self.state = state_of(held["run"])
        self.now_ns = now_ns
        self.generations = list(_generations(held))
        self.unaccounted = list(self._unaccounted())
        self.lost = list(self._lost())

    def _unaccounted(self) -> Iterator[str]:
        for one in self.held.get("shortages", {}).values():
            yield f"{one['missing']} {one['unit']} of {one['where']}: {one['why']}"
        for where, one in self.generations:
            if missing := one["unaccounted"]:
                why = "the checkpoint had passed them before they were settled"
                yield f"{missing} {one['unit']} of {one['path'] or where}: {why}"
        for flow, inputs in self.held["totals"].items():
            for identity, (_, _, _, missing) in inputs.items():
                if missing:
                    yield f"{missing} bytes of files of {flow} ({identity}) that are gone"

    def _lost(self) -> Iterator[str]:
        for where, one in self.held["inputs"].items():
            if one["lost"] and self.state != RUNNING:
                yield f"{one['lost']} events of {where}: read, not settled, and not to be read again"
            for what, count in one["losses"].items():
                reason, _, unit = what.rpartition(", ")
                yield f"{count} {unit} of {where}: {reason or 'not kept'}"
        if dropped := self.held["dead_letters"].get("dropped"):
            yield f"{dropped} events of the dead letters, as their store was full"

    def as_dict(self) -> dict[str, Any]:
        """Return all of it for machines."""
        told = {"state": self.state, "unaccounted": self.unaccounted, "lost": self.lost}
        return told | {name: value for name, value in self.held.items() if name != "shortages"}

    def lines(self) -> Iterator[str]:
        """Yield it for people."""
        run = self.held["run"]
        age_s = (self.now_ns - run.get("saved_ns", run["began_ns"])) / 1e9
        yield f"run of process {run['pid']}: {self.state}; figures are {age_s:.0f} s old"
        yield ""
        yield from _table(self.held["stages"])
        yield ""
        for where, one in self.held["inputs"].items():
            yield plain(f"{where}: {self._figures(one)}")
        yield from self._bytes()
        dead = sum(one["dead"] for one in self.held["stages"].values())
        if dead:
            yield plain(f"dead letters: {dead} in this run, kept in {self.held['dead_letters']['path']}")
        yield from (plain(f"lost: {one}") for one in self.lost)
        yield from (plain(f"NOT ACCOUNTED FOR: {one}") for one in self.unaccounted)
        if not self.unaccounted:
            yield "every event and every byte is accounted for"

    def _figures(self, one: Mapping[str, Any]) -> str:
        if self.state == RUNNING:
            return f"{one['delivered']} delivered, {one['will_replay'] + one['lost']} in flight"
        return f"{one['delivered']} delivered, {one['will_replay']} will replay, {one['lost']} lost"

    def _bytes(self) -> Iterator[str]:
        for where, one in self.generations[:FILES_SHOWN]:
            yield plain(f"  {one['path'] or where}: {_ranges(one)}")
        rest = [one for _, one in self.generations[FILES_SHOWN:]]
        if rest:
            settled = sum(one["settled"] - one["begin"] - one["skipped"] for one in rest)
            waiting = sum(one["size"] - one["settled"] for one in rest)
            yield f"  {len(rest)} more: {settled} settled, {waiting} not yet"
        for flow, inputs in self.held["totals"].items():
            for count, settled, skipped, _ in inputs.values():
                passed = f", {skipped} passed over" if skipped else ""
                yield plain(f"  {flow}: {count} that are gone or began anew: {settled} settled{passed}")


def _generations(held: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for flow, inputs in held["sources"].items():
        for sources in inputs.values():
            for source, cycles in sources.items():
                yield from ((f"{flow}: {source}", one) for one in cycles.values())


def _ranges(one: Mapping[str, Any]) -> str:
    parts = [("settled", one["begin"], one["settled"]), ("in flight", one["settled"], one["read"])]
    parts += [("not read yet", one["read"], one["size"])]
    shown = [f"{start}..{end} {what}" for what, start, end in parts if end > start]
    more = [f"{one[what]} {text}" for what, text in (("skipped", "passed over"), ("repeated", "read again"))]
    return f"{one['unit']} {', '.join([*shown, *(text for text in more if text[0] != '0')]) or 'none'}"


def _table(stages: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    columns = ["in", "made", "out", "filtered", "dead", "merged", "held", "waiting"]
    columns = [name for name in columns if name in {"in", "out"} or any(one[name] for one in stages.values())]
    rows = [
        ["stage", *columns],
        *([plain(name), *(str(one[what]) for what in columns)] for name, one in stages.items()),
    ]
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        yield "  ".join(cells).rstrip()
