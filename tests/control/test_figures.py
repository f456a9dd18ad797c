from __future__ import annotations

import json

from swak.control.figures import read_look, read_view, told_look, told_view
from swak.latency import BOUNDS_S, Spread
from swak.stats import StageView, Tally
from swak.view.model import Figures, Look, Process, Spool
from tests.view.scenes import stage


def test_a_view_is_the_same_after_its_way() -> None:
    tally = Tally()
    tally.into, tally.out = 5, 3
    tally.filtered["Drop"], tally.dead["no match"] = 1, 1
    view = StageView("web", "Drop", "filter", "paused", tally, 2, 100, 0.5, 1.5, 1, 0, "no", "", 7, {"Tail": 5}, "")
    told = json.loads(json.dumps(told_view(view)))
    read = read_view({**told, "of a newer agent": 1})
    assert read._replace(tally=tally) == view
    assert read.tally.as_dict() == tally.as_dict()
    assert read.tally.dead["another"] == 0


def test_a_look_is_the_same_after_its_way() -> None:
    tail, null = stage("Tail", "input", oldest_s=1.0), stage("Null", "output")
    full = Figures(
        router="Failover",
        inner=True,
        paused=True,
        children=("a", "b"),
        down=("b",),
        lags={"/a": 5},
        latency=Spread((1,) * (len(BOUNDS_S) + 1), 2.0),
        spool=Spool(1, 2, 3, 4.0),
        trouble="none",
    )
    figures = {("web", "Tail"): full, ("web", "Null"): Figures()}
    look = Look((tail, null), figures, 5.0, Process(1.0, 2), draining=True, warnings=("w",), dead_dropped=3)
    read = read_look(json.loads(json.dumps(told_look(look))))
    assert read._replace(views=look.views) == look
    assert [view.stage for view in read.views] == ["Tail", "Null"]


def test_an_older_agent_tells_less() -> None:
    told = told_look(Look((stage("Null", "output"),), uptime_s=5.0))
    for name in ("process", "draining", "warnings", "dead_dropped"):
        del told[name]
    del told["views"][0]["figures"]
    read = read_look(told)
    assert read.figures == {("web", "Null"): Figures()}
    assert read.process is None
