"""What to expect of a flow: which output can hold up which, and what a kill makes come twice or takes away."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from swak.actors.mailbox import BATCHES_MAX, BYTES_MAX
from swak.actors.supervisor import CHECKPOINT_S
from swak.options import Duration, Size, longest
from swak.plugin import Buffer, Input
from swak.workers.pool import Workers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from swak.topology.graph import FlowGraph, Stage

MAILBOX = f"{BATCHES_MAX} batches or {Size(BYTES_MAX).text()}"
CHECKPOINT = Duration(CHECKPOINT_S).text()


def outlook(flow: FlowGraph) -> list[str]:
    """Return sentences about a checked flow, one a line. They follow from the recipe alone: nothing is opened."""
    return [*_spread(flow), *_waiting(flow), *_giving_up(flow), *_killed(flow)]


def _spread(flow: FlowGraph) -> list[str]:
    """Say what worker processes do, and what they might do but for what it keeps."""
    lines = []
    for stage in flow.stages:
        if isinstance(plugin := stage.plugin, Workers):
            count = f"{plugin.count} worker processes" if plugin.count > 1 else "a worker process"
            order = "; what comes out of them keeps its order" if plugin.count > 1 else ""
            lines.append(f"{_listed(plugin.names)} {_verb(plugin.names, 'run')} in {count}{order}.")
            if plugin.kept:
                what = f"{plugin.kept[0]} keeps something from one batch to the next"
                lines.append(f"{_listed(plugin.kept)} {_verb(plugin.kept, 'stay')} in the agent: {what}.")
    return lines


def _ends(flow: FlowGraph) -> list[Stage]:
    """Return the stages in which the flow ends: outputs, spools, and failovers for the outputs under them."""
    return [one for one in flow.stages if one.kind == "failover" or (one.kind == "output" and one.router is None)]


def _waiting(flow: FlowGraph) -> list[str]:
    """Say who waits for whom. All ends of a flow hang together: what one does not take fills the stages before it."""
    ends = _ends(flow)
    direct, spools = [one.name for one in ends if one.spool is None], [one for one in ends if one.spool is not None]
    others = [one.name for one in spools] + ([flow.input.name] if flow.input.spool is None else [])
    wait = [f"{_listed(others)} {_verb(others, 'wait')}"] if others else []
    if flow.input.spool is not None:
        wait.append(f"events stay on the disk of {_source(flow)}")
    lines = []
    if len(direct) == 1:
        lines.append(f"While {direct[0]} is down or slow, {_listed(wait)}.")
    elif direct:
        nothing = ", and ".join(["the others get nothing new", *wait])
        lines.append(
            f"{_listed(direct)} wait for one another: while one of them is down or slow, {nothing}, as soon as"
            f" {MAILBOX} lie in front of it."
        )
    lines += [_failover(one) for one in ends if one.kind == "failover"]
    lines += [_spool(one, [name for name in [*direct, *others] if name != one.name]) for one in spools]
    if flow.kind == "main" and (len(ends) > 1 or spools):
        lines.append(
            "main(...) has one thread for all stages: a write that takes long holds up everything, spool or not;"
            " task(...) has one for each."
        )
    return lines


def _source(flow: FlowGraph) -> str:
    """Name what the flow reads from: an input, or the spool behind which it begins."""
    return flow.input.name if flow.input.spool is None else flow.input.name.removesuffix(".out")


def _failover(stage: Stage) -> str:
    names = stage.downstream()
    return f"{stage.name} stands for {_listed(names)}: it is down only while {'all are' if names[1:] else 'that is'}."


def _spool(stage: Stage, others: list[str]) -> str:
    buffer: Any = stage.spool
    age = f" (what is older than {buffer.max_age.text()} is dropped and counted)" if buffer.max_age else ""
    then = {
        "block": f"{_listed(others)} {_verb(others, 'wait')} until there is room",
        "drop_oldest": "the oldest events are dropped and counted, and nobody waits",
        "overflow": "what does not fit goes to the dead letters, and nobody waits",
    }[buffer.when_full]
    return (
        f"What is behind {stage.name} holds up nothing in front of it until {buffer.max_size.text()} lie on its"
        f' disk{age}; then {then} (when_full="{buffer.when_full}").'
    )


def _giving_up(flow: FlowGraph) -> list[str]:
    """Say which ends do not try for ever."""
    lines = []
    for end in _ends(flow):
        names = end.downstream() or (end.name,)
        limit = longest(getattr(flow.stage(name).plugin, "retry_for", None) for name in names)
        if limit is not None:
            lines.append(
                f"{end.name} gives up a batch that could not be delivered for {limit.text()} (retry_for): it goes"
                " to the dead letters, and the next one is tried."
            )
    return lines


def _killed(flow: FlowGraph) -> list[str]:
    """Say what a kill of the process makes come twice or takes away. A stop in order does neither."""
    source, plugin = _source(flow), flow.input.plugin
    ends = [one.name for one in _ends(flow)]
    assert isinstance(plugin, Input)
    if plugin.replays:
        place = "its checkpoint" if flow.input.spool is None else "the place that it has noted"
        again = _again(flow, ["what it took in that time", "what it had in hand", *_unsynced(flow)])
        lines = [f"After a kill {source} goes on from {place}, up to {CHECKPOINT} old: {again}."]
        if len(ends) > 1:
            lines.append(
                f"{_listed(ends)} share one position, that of the oldest event that one of them has not delivered:"
                " while one is behind, a kill makes the others get again all that they took since then."
            )
        return [*lines, *_held(flow, "is read again after a kill")]
    if plugin.patience_s() is not None:
        again = _again(flow, ["what it took of that"])
        has = f"all of {_listed(ends)} have" if len(ends) > 1 else f"{ends[0]} has"
        return [
            f"{source} acks an event when {has} it. After a kill its senders send again what was not acked: {again}.",
            f"What comes to {source} without a wish for an ack, and is not delivered when swak is killed, is lost.",
            *_held(flow, "is not acked"),
        ]
    left = f"what it has read and {_listed(ends)} {_verb(ends, 'have')} not delivered is lost when swak is killed"
    spooled = all(flow.stage(name).spool for name in flow.input.downstream())
    advice = "" if spooled else "; out.DiskBuffer(...) right behind it leaves only what is not yet synced there"
    return [f"{source} cannot read again: {left}{advice}.", *_held(flow, "is lost, too")]


def _again(flow: FlowGraph, what: list[str]) -> str:
    ends = _ends(flow)
    names = [f"{one.name} (and so what is behind it)" if one.spool else one.name for one in ends]
    return f"{'each of ' if names[1:] else ''}{_listed(names)} may get again {_listed(what)}"


def _unsynced(flow: FlowGraph) -> list[str]:
    """Name outputs whose writes count as delivered when they are synced."""
    waits = {one.name: getattr(one.spool or one.plugin, "fsync", None) for one in flow.stages if one.kind == "output"}
    late = [f"{name} (fsync={limit.text()})" for name, limit in waits.items() if isinstance(limit, Duration)]
    return [f"what is not synced by {_listed(late)}"] if late else []


def _held(flow: FlowGraph, fate: str) -> list[str]:
    """Name buffers that hold events in memory."""
    lines = []
    for stage in flow.stages:
        if isinstance(stage.plugin, Buffer) and (longest_s := stage.plugin.longest_s()):
            how_long = "until it is full" if longest_s == math.inf else f"for up to {Duration(longest_s).text()}"
            lines.append(f"What {stage.name} holds in memory, {how_long}, {fate}.")
    return lines


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _verb(names: Sequence[str], plural: str) -> str:
    singular = {"have": "has"}.get(plural, f"{plural}s")
    return plural if len(names) > 1 else singular
