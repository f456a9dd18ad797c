from __future__ import annotations

import json

from swak.reloading import outcome
from swak.reloading.difference import Difference
from swak.reloading.outcome import Outcome, Reloads
from swak.topology.graph import Topology


def test_reloads_are_counted_and_the_last_good_one_is_dated() -> None:
    reloads = Reloads()
    reloads.began = 3
    reloads.note(Outcome("done", at_ns=5))
    reloads.note(Outcome("refused", ("no",), at_ns=9))
    assert (dict(reloads.counts), reloads.succeeded_at_ns, reloads.under_way) == ({"done": 1, "refused": 1}, 5, True)
    reloads.note(Outcome("unchanged", at_ns=11))
    assert (reloads.succeeded_at_ns, reloads.under_way) == (11, False)


def test_an_outcome_can_be_told_as_json() -> None:
    found = Difference(Topology(()), added=frozenset({("t", "b"), ("t", "a")}))
    told = outcome.of(found, "done").told()
    assert told["added"] == ["t/a", "t/b"]
    assert json.loads(json.dumps(told)) == told
