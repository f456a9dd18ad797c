"""What is printed and drawn."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest

from swak.bench.corpus import Corpus
from swak.bench.latency import Row
from swak.bench.measure import Cost
from swak.bench.report import Report
from swak.bench.suite import Figure, Suite
from swak.bench.workloads import ALL
from tests.bench.parts import stand_in

if TYPE_CHECKING:
    from pathlib import Path

CPU_S = {
    ("", "cat"): 0.1,
    ("", "re"): 1.0,
    ("W1", "swak"): 0.25,
    ("W1", "stand-in"): 0.5,
    ("W2", "swak"): 1.7,
    ("W3", "swak"): 2.5,
}
ROWS = [Row("first line after 30 s of quiet", 1, 2, 3, 0.5), Row("1,000 lines/s, 1 a write", 4, 16, 20, 3)]


def report(folder: Path, events: int = 1_000_000) -> Report:
    suite = Suite(folder, Corpus(folder / "corpus", events), ALL[:3], [stand_in(folder)])
    for (workload, who), net_s in CPU_S.items():
        costs = [Cost(net_s + 0.2, 2.0, 80 if workload == "W2" else 40)]
        suite.figures[workload, who] = Figure(workload, who, events, 200 * events, costs, [Cost(0.2, 0.3, 30)])
    return Report("a machine", suite, 1, ROWS)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, ["≤ 3 x cat: kept", "≤ 1/3 of the best peer: **missed**", "≤ 70 MB: kept"]),
        (1, ["≤ 1.8 x re: kept", "≤ 70 MB: **missed**"]),
        (2, ["≤ 1 x W2 + 0.5: **missed**", "≤ 70 MB: kept"]),
    ],
)
def test_a_figure_is_judged_by_what_it_is_meant_to_be(number: int, said: list[str], tmp_path: Path) -> None:
    assert [str(one) for one in report(tmp_path).verdicts(ALL[number])] == said


def test_what_was_not_measured_is_no_bound(tmp_path: Path) -> None:
    made = report(tmp_path)
    del made.suite.figures["W2", "swak"]
    again = Report("a machine", made.suite, 1, [])
    assert [str(one) for one in again.verdicts(ALL[2])] == ["≤ 70 MB: kept"]


def test_a_few_events_are_not_judged(tmp_path: Path) -> None:
    made = report(tmp_path, 1_000)
    assert made.verdicts(ALL[0]) == []
    assert "not judged" in made.table()


def test_the_table_has_a_row_for_everything_and_says_who_is_missing(tmp_path: Path) -> None:
    table = report(tmp_path).table()
    assert "| W1: tail → file, raw | swak | 0.25 [0.25..0.25] | 2.50 x cat, 0.25 x re, 0.50 x stand-in | " in table
    assert "| start and stop, empty input: CPU-s in all | swak | 0.20 [0.20..0.20] |" in table
    assert "- stand-in takes no part in W2: no configuration of stand-in does W2" in table
    assert "- stand-in takes no part in L1: " in table
    assert "2.00 | 3.00 | 0.50 | p99 ≤ 15 ms: kept; ≤ 0.3 %: **missed** |" in table
    assert "16.00 | 20.00 | 3.00 | p99 ≤ 15 ms: **missed** |" in table


def test_json_says_the_same(tmp_path: Path) -> None:
    told = json.loads(json.dumps(report(tmp_path).as_dict()))
    first = next(row for row in told["rows"] if (row["workload"], row["who"]) == ("W1", "swak"))
    assert first["cpu_s_per_million"] == {"median": 0.25, "least": 0.25, "most": 0.25}
    assert {to: round(times, 6) for to, times in first["ratios"].items()} == {"cat": 2.5, "re": 0.25, "stand-in": 0.5}
    assert (first["events_per_s"], first["mb_per_s"], first["peak_rss_mb"]) == (500_000, 100, 40)
    assert told["targets"]["W3"][0] == {"target": "≤ 1 x W2 + 0.5", "kept": False}
    assert {one["workload"] for one in told["absent"]} == {"W2", "W3", "L1"}
    assert told["latency"][0]["p99_ms"] == 2


def test_the_drawing_has_a_bar_for_each_figure(tmp_path: Path) -> None:
    drawn = ET.fromstring(report(tmp_path).drawing())
    assert len(list(drawn.iter("{http://www.w3.org/2000/svg}rect"))) == 1 + 4
