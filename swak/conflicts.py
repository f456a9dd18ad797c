"""What is wrong with plugins of one recipe taken together, though each of them is right."""

from __future__ import annotations

import glob
import math
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from swak.holding import HoldingBuffer
from swak.plugin import Buffer, Input, Output

if TYPE_CHECKING:
    from collections.abc import Iterable

    from swak.plugin import Plugin
    from swak.recipe import Recipe
    from swak.topology.findings import Report
    from swak.topology.graph import FlowGraph


def find_conflicts(recipe: Recipe, flows: Iterable[FlowGraph], report: Report) -> None:
    """Look at all plugins that the report has met, and at each flow, and report what does not go together."""
    _check_terminal(recipe, report)
    _check_feedback(report)
    _check_spools(report)
    _check_ports(report)
    _check_files(report)
    for flow in flows:
        _check_patience(flow, report)
        _check_waiting(flow, report)
        _check_header(flow, report)


def _check_terminal(recipe: Recipe, report: Report) -> None:
    readers = [one for one in report.met.values() if one.kind == "input" and one.uses_terminal]
    if readers and recipe.file == "<stdin>":
        mend = "put the recipe into a file"
        report.problem(f"{readers[0].name}: standard input held the recipe itself", mend, readers[0].place)
    for reader in readers[1:]:
        report.problem(f"{reader.name}: another input reads standard input already", "leave one out", reader.place)


def _check_feedback(report: Report) -> None:
    """Refuse outputs that append to what an input of the recipe reads: every event would come round for ever."""
    valid = [one for one in report.met.values() if one.valid]
    for writer, reader in product(valid, valid):
        if isinstance(writer, Output) and isinstance(reader, Input):
            written = report.asked(writer, writer.writes_to)
            for path in report.asked(reader, partial(filter, reader.reads, written))[:1]:
                where = f"{reader.name} ({reader.place.file}:{reader.place.line})"
                what = f"{writer.name}: it writes {path}, which {where} reads: events would come round for ever"
                apart = f', or keep the pattern off it: exclude="{glob.escape(Path(path).name)}*"'
                mend = "write to another path" + (apart if "exclude" in reader.options else "")
                report.problem(what, mend, writer.place)


def _check_spools(report: Report) -> None:
    """Refuse two buffers on disk in one folder."""
    owners: dict[str, Plugin] = {}
    for one in report.met.values():
        folder = getattr(one, "path", "") if isinstance(one, Buffer) and one.valid and one.decouples else ""
        first = owners.setdefault(str(Path(folder).resolve()), one) if folder else one
        if first is not one:
            where = f"{first.name} ({first.place.file}:{first.place.line})"
            report.problem(f"{one.name}: its folder {folder} is that of {where}", "give each its own", one.place)


def _check_ports(report: Report) -> None:
    """Refuse two inputs that listen on one port of one address."""
    taken: list[tuple[str, str, int, Plugin]] = []
    for reader in report.met.values():
        if not isinstance(reader, Input) or not reader.valid:
            continue
        for protocol, host, port in report.asked(reader, reader.listens_on):
            for known, where, number, first in taken:
                same = where == host or {where, host} & {"0.0.0.0", "::", ""}  # noqa: S104 - compared, not bound
                if port and (known, number) == (protocol, port) and same and first is not reader:
                    place = f"{first.name} ({first.place.file}:{first.place.line})"
                    what = f"{reader.name}: {place} listens on {protocol} port {port}, too"
                    report.problem(what, "give each a port of its own", reader.place)
            taken.append((protocol, host, port, reader))


def _check_files(report: Report) -> None:
    """Refuse outputs that write one file in different ways."""
    first: dict[str, Output] = {}
    for writer in report.met.values():
        if isinstance(writer, Output) and writer.valid:
            for path in report.asked(writer, writer.writes_to)[-1:]:
                other = first.setdefault(path, writer)
                if (type(other), _manner(other)) != (type(writer), _manner(writer)):
                    where = f"{other.name} ({other.place.file}:{other.place.line})"
                    what = f"{writer.name}: {where} writes {path} with other options"
                    report.problem(what, "give both the same options, or each a path of its own", writer.place)


def _manner(writer: Output) -> dict[str, object]:
    """Return how it writes: its options but the path, and but those that every output has."""
    manner = (name for name, declared in writer.options.items() if name != "path" and not declared.keyword)
    return {name: getattr(writer, name) for name in manner}


def _check_header(flow: FlowGraph, report: Report) -> None:
    """Warn of a parser that needs a file's header lines behind an input that does not hand them out again."""
    source = flow.stages[0].plugin if flow.stages else None
    known = getattr(source, "header", None)
    for stage in flow.stages:
        needed = getattr(stage.plugin, "needs_header", ())
        if isinstance(known, list) and not known and needed:
            what = f"{stage.name}: after a restart in the middle of a file it does not know the file's header"
            report.warn(what, f"add header={list(needed)!r} to {flow.stages[0].name}", stage.place)


def _check_waiting(flow: FlowGraph, report: Report) -> None:
    """Refuse buffers in memory that may wait for more events than the full spool in front of them can hold."""
    spool = flow.stages[0].spool if flow.stages else None
    if spool is None or not spool.valid or getattr(spool, "when_full", "") != "block":
        return
    held = {one.name: one.plugin for one in flow.stages if isinstance(one.plugin, HoldingBuffer) and one.plugin.valid}
    endless = {name: buffer.hold_bytes for name, buffer in held.items() if buffer.longest_s() == math.inf}
    needed_bytes = sum(endless.values()) * 2
    if getattr(spool, "max_size", needed_bytes) < needed_bytes:
        what = f"{spool.name}: when it is full, {', '.join(endless)} behind it may wait for more events for ever"
        report.problem(what, f"give it max_size={needed_bytes >> 20}MiB or more", spool.place)


def _check_patience(flow: FlowGraph, report: Report) -> None:
    """Refuse buffers that keep events unsettled for longer than those who sent them wait for an ack."""
    source = flow.stages[0].plugin if flow.stages else None
    patience_s = source.patience_s() if isinstance(source, Input) and source.valid else None
    if source is None or patience_s is None:
        return
    waited_s = dict.fromkeys((stage.name for stage in flow.stages), 0.0)
    for stage in flow.stages:  # upstream first
        buffer = stage.plugin
        before_s = waited_s[stage.name]
        if isinstance(buffer, Buffer) and buffer.valid:
            waited_s[stage.name] += buffer.longest_s()
            if before_s < patience_s <= waited_s[stage.name]:
                report.problem(*_too_long(source, patience_s, buffer, waited_s[stage.name]), buffer.place)
        for name in stage.downstream():
            waited_s[name] = max(waited_s[name], waited_s[stage.name])


def _too_long(source: Plugin, patience_s: float, buffer: Buffer, waited_s: float) -> tuple[str, str]:
    """Say what is wrong, and how to mend it."""
    held = "until enough of them have come" if waited_s == math.inf else f"for up to {waited_s:g} s"
    where = f"{source.name} ({source.place.file}:{source.place.line})"
    what = f"{buffer.name}: it holds events in memory {held}, but whoever sends them to {where}"
    what += f" waits {patience_s:g} s for the ack and then sends them again"
    mend = "put out.DiskBuffer(...) in front of it, which acks at once, hold them for less, or say how long the senders"
    return what, f"{mend} wait: {source.name}(ack_timeout=...) (None: they want no acks)"
