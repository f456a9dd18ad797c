from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import Any

import pytest

from swak.metrics.catalogue import ALL, BY_NAME, MEASURES
from tests.house import ROOT

DOCS = ROOT / "docs"
NAME = re.compile(r"\b(?:swak|process)_[a-z_]+\b")


def known(name: str) -> bool:
    whole = re.sub(r"_(bucket|sum|count)$", "", name)
    return name in BY_NAME or (whole in BY_NAME and BY_NAME[whole].kind == "histogram")


def test_names_are_as_prometheus_wants_them() -> None:
    assert all(re.fullmatch(r"(swak|process)_[a-z_]+", metric.name) for metric in ALL)
    assert not [one.name for one in ALL if (one.kind == "counter") != one.name.endswith("_total")]
    assert len(BY_NAME) == len(ALL)


def test_every_help_is_one_line() -> None:
    assert not [metric.name for metric in ALL if "\n" in metric.doc or "\\" in metric.doc or not metric.doc]


def test_measures_of_plugins_become_metrics_of_the_catalogue() -> None:
    assert set(MEASURES.values()) <= set(BY_NAME)


def test_every_metric_is_documented_with_its_kind_and_nothing_else_is() -> None:
    rows = re.findall(r"^\| `([a-z_]+)` \| (\w+) \|", (DOCS / "metrics.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert dict(rows) == {metric.name: metric.kind for metric in ALL}


def test_the_dashboard_asks_for_metrics_that_exist_only() -> None:
    dashboard = json.loads((DOCS / "grafana.json").read_text(encoding="utf-8"))
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    assert len(queries) >= 12
    assert not [name for query in queries for name in NAME.findall(query) if not known(name)]


def test_every_panel_of_the_dashboard_has_a_place_of_its_own() -> None:
    dashboard: dict[str, Any] = json.loads((DOCS / "grafana.json").read_text(encoding="utf-8"))
    places: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert max(x for x, _ in cells) < 24
        assert not places & cells, panel["title"]
        places |= cells
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)


def test_the_alerts_ask_for_metrics_that_exist_only() -> None:
    lines = (DOCS / "alerts.yml").read_text(encoding="utf-8").splitlines()
    named = [name for line in lines if "expr:" in line for name in NAME.findall(line)]
    assert named
    assert not [name for name in named if not known(name)]


def test_promtool_accepts_the_alerts() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("needs promtool: apt-get install prometheus")
    command = [promtool, "check", "rules", str(DOCS / "alerts.yml")]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr + done.stdout
