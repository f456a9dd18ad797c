"""What a soak has shown: judged, as a table, as JSON and as a drawing."""

from __future__ import annotations

import json
from collections import defaultdict
from itertools import pairwise
from statistics import linear_regression, median
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.chart import Chart, Marks, Panel, Series

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.children import Usage
    from benchmarks.sequence import Verdict

WARM_SHARE = 1 / 6
"""Of the run, before memory is judged: 5 of 30 minutes."""
SLOPE_MAX = 1.0
"""MB of resident memory that may be added in ten minutes."""
DESCRIPTORS_MORE_MAX = 2
LONG_S = 600.0
"""Shorter runs are not judged by what the agent uses: noise, and files that come to be rotated, are more than that."""
TEN_MINUTES_S = 600.0
YOUNG_S = 5.0
"""Age of an agent at which it has opened what it needs."""
LIVES_MIN, LOOKS_MIN = 3, 8
LOOK_MIN_S = 0.5


class Plan(NamedTuple):
    """What was asked for."""

    seconds: float
    kill_every_s: float
    rate: int
    """Lines a second."""
    seed: int
    machine: str


class Sample(NamedTuple):
    """What was seen at one moment. Lines are counted from the begin."""

    at_s: float
    life: int
    usage: Usage | None
    spool_mb: float
    written: int
    arrived: dict[str, int]
    lines: dict[str, int]
    """Those that came twice among them."""
    down: int
    """Receivers that were."""
    own_mb: float
    """Resident memory of this program."""


class Moment(NamedTuple):
    """A sample of the agent while it lived."""

    at_s: float
    usage: Usage
    down: int

    @property
    def descriptors(self) -> int:
        """What it would have open if all receivers were up: each has one connection."""
        return self.usage.descriptors + self.down


class Outcome(NamedTuple):
    """All that was seen."""

    plan: Plan
    samples: list[Sample]
    kills: list[float]
    outages: list[tuple[float, float]]
    rotations: dict[str, int]
    written: int
    verdicts: dict[str, Verdict]
    explained: dict[str, int]
    """Duplicates that kills may have made, at most."""
    drained_s: float
    exit_code: int
    audit: tuple[int, str]
    told: str
    """The end of the agent's log."""


class Check(NamedTuple):
    """One thing that was judged; None: the run was too short to tell."""

    what: str
    shown: str
    ok: bool | None


def checks(outcome: Outcome) -> list[Check]:
    """Judge a run."""
    code, audit = outcome.audit
    found = [branch_check(name, verdict, outcome.explained[name]) for name, verdict in outcome.verdicts.items()]
    found.append(Check("the agent stopped in order", f"exit code {outcome.exit_code}", outcome.exit_code == 0))
    last = audit.strip().splitlines()[-1:] or ["nothing was printed"]
    found.append(Check("`swak audit`", f"exit code {code}: {last[0]}", code == 0))
    return [*found, slope_check(outcome), descriptors_check(outcome)]


def branch_check(name: str, verdict: Verdict, explained: int) -> Check:
    """Judge what a branch brought."""
    wrong = f"{verdict.lost} lost, {verdict.reordered} reordered, {verdict.torn} torn, {verdict.unexpected} unexpected"
    shown = f"{wrong}; {verdict.duplicates:,} duplicates, kills explain {explained:,} {verdict.where}".strip()
    return Check(f"branch {name}", shown, verdict.right and verdict.duplicates <= explained)


def slope(points: Sequence[tuple[float, float]]) -> float | None:
    """Return how many units are added in ten minutes, by linear regression; None for too few points."""
    if len(points) < LIVES_MIN:
        return None
    return TEN_MINUTES_S * linear_regression(*zip(*points, strict=True)).slope


def lives(outcome: Outcome) -> list[list[Moment]]:
    """Return the moments of each life of the agent after the first sixth of the run, but of very short ones."""
    found: dict[int, list[Moment]] = defaultdict(list)
    for sample in outcome.samples:
        if sample.usage is not None and WARM_SHARE * outcome.plan.seconds <= sample.at_s <= outcome.plan.seconds:
            found[sample.life].append(Moment(sample.at_s, sample.usage, sample.down))
    return [life for life in found.values() if life[-1].at_s - life[0].at_s >= outcome.plan.kill_every_s / 4]


def peaks(outcome: Outcome) -> list[tuple[float, float]]:
    """Return when each life of the agent had most resident memory, and how much."""
    most = [max(life, key=lambda moment: moment.usage.rss_mb) for life in lives(outcome)]
    return [(moment.at_s, moment.usage.rss_mb) for moment in most]


def slope_check(outcome: Outcome) -> Check:
    """Judge whether memory grows from life to life."""
    over_peaks = slope(peaks(outcome))
    over_all = slope([(moment.at_s, moment.usage.rss_mb) for life in lives(outcome) for moment in life])
    shown = ", ".join(
        f"{'-' if value is None else f'{value:+.2f}'} MB in 10 minutes over {what}"
        for what, value in ((f"{len(peaks(outcome))} lives' peaks", over_peaks), ("all looks", over_all))
    )
    ok = None if over_peaks is None or outcome.plan.seconds < LONG_S else over_peaks < SLOPE_MAX
    return Check(f"RSS grows by < {SLOPE_MAX:g} MB in 10 minutes", shown, ok)


def descriptors_check(outcome: Outcome) -> Check:
    """Judge whether descriptors add up from life to life.

    An agent opens more as it grows older, files that were rotated for example. So each life is compared with what is
    usual at the same age, second by second, and the median of these differences is that life's.
    """
    ages = [{int(one.at_s - life[0].at_s): one.descriptors for one in life} for life in lives(outcome)]
    at_age: dict[int, list[int]] = defaultdict(list)
    for life in ages:
        for age_s, count in life.items():
            at_age[age_s].append(count)
    usual = {age_s: median(counts) for age_s, counts in at_age.items() if len(counts) >= LIVES_MIN and age_s >= YOUNG_S}
    differences = [[count - usual[age_s] for age_s, count in life.items() if age_s in usual] for life in ages]
    medians = [median(life) for life in differences if len(life) >= LOOKS_MIN]
    what = f"descriptors ± {DESCRIPTORS_MORE_MAX} between lives"
    if len(medians) < LIVES_MIN:
        return Check(what, f"{len(medians)} lives are too few", None)
    ok = max(map(abs, medians)) <= DESCRIPTORS_MORE_MAX
    shown = f"{min(medians):+g} to {max(medians):+g} beside what is usual at that age, {len(medians)} lives"
    return Check(what, shown, ok if outcome.plan.seconds >= LONG_S else None)


def table(outcome: Outcome, found: Sequence[Check]) -> str:
    """Return the verdict and the figures as markdown."""
    verdicts = {True: "kept", False: "**missed**", None: "too short to tell"}
    rows = [outcome.plan.machine, "", f"seed {outcome.plan.seed}", "", "| what | measured | |", "|---|---|---|"]
    rows += [f"| {what} | {value} | |" for what, value in figures(outcome).items()]
    rows += [f"| {check.what} | {check.shown} | {verdicts[check.ok]} |" for check in found]
    if any(check.ok is False for check in found):
        rows += ["", "the audit:", outcome.audit[1], "the end of the agent's log:", outcome.told]
    return "\n".join(rows)


def figures(outcome: Outcome) -> dict[str, str]:
    """Return what is only told."""
    seen = [sample.usage for sample in outcome.samples if sample.usage is not None]
    used_s = sum(cpu_of_lives(outcome).values())
    rotations = ", ".join(f"{count} by {way}" for way, count in outcome.rotations.items()) or "none"
    down_s = sum(stop - start for start, stop in outcome.outages)
    return {
        "lines written": f"{outcome.written:,} in {outcome.plan.seconds:g} s",
        "kills of the agent": f"{len(outcome.kills)}",
        "outages of receivers": f"{len(outcome.outages)}, {down_s:.0f} s in all",
        "rotations": rotations,
        "drained after": f"{outcome.drained_s:.1f} s",
        "CPU of the agent": f"{used_s:.1f} s, {used_s * 1e6 / max(1, outcome.written):.2f} s a million lines",
        "most resident memory": f"{max((one.rss_mb for one in seen), default=0):.1f} MB",
        "descriptors": f"{min(one.descriptors for one in seen)} to {max(one.descriptors for one in seen)}",
        "threads": f"{min(one.threads for one in seen)} to {max(one.threads for one in seen)}",
        "resident memory of the soak itself": f"{outcome.samples[0].own_mb:.1f} to {outcome.samples[-1].own_mb:.1f} MB",
        "largest spool": f"{max(sample.spool_mb for sample in outcome.samples):.1f} MB",
    }


def cpu_of_lives(outcome: Outcome) -> dict[int, float]:
    """Return what each life of the agent had used when it was last seen."""
    return {sample.life: sample.usage.cpu_s for sample in outcome.samples if sample.usage is not None}


def as_json(outcome: Outcome, found: Sequence[Check]) -> str:
    """Return everything but the texts, for machines."""
    whole: dict[str, Any] = {
        "plan": outcome.plan._asdict(),
        "checks": [check._asdict() for check in found],
        "figures": figures(outcome),
        "verdicts": {name: verdict._asdict() for name, verdict in outcome.verdicts.items()},
        "explained": outcome.explained,
        "kills_s": outcome.kills,
        "outages_s": outcome.outages,
        "samples": [
            sample._asdict() | {"usage": sample.usage and sample.usage._asdict()} for sample in outcome.samples
        ],
    }
    return json.dumps(rounded(whole)) + "\n"


def rounded(value: Any) -> Any:
    """Return a value of JSON with no more than two decimals."""
    if isinstance(value, dict):
        return {name: rounded(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(one) for one in value]
    return round(value, 2) if isinstance(value, float) else value


def draw(outcome: Outcome) -> str:
    """Return the plot: resident memory, size of the spool, lines a second in and out."""
    looks = outcome.samples
    rss = [(one.at_s, one.usage and one.usage.rss_mb) for one in looks]
    spool = [(one.at_s, one.spool_mb) for one in looks]
    pairs = list(pairwise(apart(looks)))
    rates = [Series("written", [(after.at_s, rate(before, after, None)) for before, after in pairs])]
    rates += [
        Series(name, [(after.at_s, rate(before, after, name)) for before, after in pairs]) for name in outcome.verdicts
    ]
    panels = [
        Panel("Resident memory of the agent", "MB", [Series("RSS", rss)]),
        Panel("Size of the spool", "MB on disk", [Series("spool", spool)]),
        Panel("Throughput, written and new in each branch", "lines a second", rates),
    ]
    plan = outcome.plan
    title = f"swak under {plan.rate:,} lines a second for {plan.seconds / 60:g} minutes: {outcome.written:,} lines"
    marks = Marks("the agent is killed", outcome.kills, "a receiver is down", outcome.outages)
    return Chart(title, panels, marks, looks[-1].at_s if looks else 1.0).draw()


def apart(looks: Sequence[Sample]) -> list[Sample]:
    """Leave out looks soon after another one: they were at kills, and a rate needs time."""
    kept: list[Sample] = []
    for one in looks:
        if not kept or one.at_s - kept[-1].at_s >= LOOK_MIN_S:
            kept.append(one)
    return kept


def rate(before: Sample, after: Sample, branch: str | None) -> float:
    """Return lines a second between two looks."""
    count = (after.arrived[branch] - before.arrived[branch]) if branch else after.written - before.written
    return count / (after.at_s - before.at_s)
