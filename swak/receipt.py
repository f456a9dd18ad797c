"""The receipt: what became of every event, printed at the end of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from swak.ledger import shortages
from swak.log import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from swak.stats import InputReceipt, Reasons, Receipt, StageView

REASONS_MAX = 8
"""Reasons shown for one stage, the most frequent first: a reason may hold a text of its own for every event."""

REASON_CHARS = 100

_COLUMNS = ("in", "made", "out", "filtered", "dead", "merged", "held")
_ALWAYS = {"in", "out"}


def text(receipt: Receipt) -> str:
    """Return the receipt as plain text. It holds no times: equal runs have equal receipts."""
    lines = [*_table(receipt.stages), ""]
    lines += [_input_line(one) for one in receipt.inputs]
    if receipt.dead_letters:
        lines.append(f"dead letters: {plain(receipt.dead_letters)}")
    lines += troubles(receipt) or ["clean"]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def fields(receipt: Receipt) -> dict[str, Any]:
    """Return the receipt as the fields of one log line, for those who have machines read the log."""
    inputs = {_stage(one): [one.delivered, one.will_replay, one.lost] for one in receipt.inputs}
    told: dict[str, Any] = {
        "troubles": troubles(receipt),
        "delivered_will_replay_lost": inputs,
        "stages": {_stage(view): view.tally.as_dict() for view in receipt.stages},
    }
    return told | ({"dead_letters": receipt.dead_letters} if receipt.dead_letters else {})


def troubles(receipt: Receipt) -> list[str]:
    """Name what was lost, which task failed and which stage's figures do not balance; empty when all is well."""
    found = [f"lost: {_events(one.lost)} of {_stage(one)}" for one in receipt.inputs if one.lost]
    if receipt.dead_dropped:
        found.append(f"lost: {_events(receipt.dead_dropped)} of the dead letters, as their store was full")
    for flow in receipt.failed:
        errors = [view for view in receipt.stages if view.flow == flow and view.last_error]
        cause = "; ".join(f"{plain(view.stage)}: {_cut(view.last_error)}" for view in errors)
        found.append(f"failed: {plain(flow)}{' ' if cause else ''}{f'({cause})' if cause else ''}")
    bug = "(a bug in swak, please report it)"
    found += [f"not accounted for: {plain(str(one))} {bug}" for one in shortages(receipt.stages)]
    return found


def _table(views: tuple[StageView, ...]) -> Iterator[str]:
    """Yield one line per stage, columns aligned, with a line for each reason why events went no further."""
    figures = [{name: int(value) for name, value in view.tally.as_dict().items()} for view in views]
    columns = [name for name in _COLUMNS if name in _ALWAYS or any(one[name] for one in figures)]
    names = [_stage(view) for view in views]
    first = max([len("stage"), *map(len, names)])
    widths = [max([len(name), *(len(str(one[name])) for one in figures)]) for name in columns]
    yield _row("stage", first, columns, widths)
    for view, name, one in zip(views, names, figures, strict=True):
        yield _row(name, first, [str(one[column]) for column in columns], widths)
        yield from _reasons("filtered", view.tally.filtered)
        yield from _reasons("dead", view.tally.dead)


def _row(name: str, first: int, cells: list[str], widths: list[int]) -> str:
    return "  ".join([name.ljust(first), *(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))])


def _reasons(what: str, reasons: Reasons) -> Iterator[str]:
    ordered = sorted(((reason, count) for reason, count in reasons.items() if count), key=lambda one: (-one[1], one[0]))
    for reason, count in ordered[:REASONS_MAX]:
        yield f"    {what} {count}: {_cut(reason)}"
    rest = ordered[REASONS_MAX:]
    if rest:
        yield f"    {what} {sum(count for _, count in rest)}: {len(rest)} more reasons"


def _input_line(one: InputReceipt) -> str:
    figures = f"{one.delivered} delivered, {one.will_replay} will replay, {one.lost} lost"
    return f"{_stage(one)}: {figures}{'; ' if one.notes else ''}{plain(one.notes)}"


def _stage(one: StageView | InputReceipt) -> str:
    return plain(f"{one.flow}/{one.stage}")


def _events(count: int) -> str:
    return f"{count} event{'' if count == 1 else 's'}"


def _cut(reason: str) -> str:
    """Return one line of bounded length: reasons come from exceptions and records, whatever these hold."""
    shown = plain(reason) if reason else "(no reason)"
    return shown if len(shown) <= REASON_CHARS else shown[: REASON_CHARS - 1] + "…"
