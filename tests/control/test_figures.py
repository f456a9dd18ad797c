from __future__ import annotations

import json

from swak.control.figures import read_view, told_view
from swak.stats import StageView, Tally


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
