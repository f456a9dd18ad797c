"""A real Prometheus as a child process, which scrapes one target."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from tests.flows.ports import free_port
from tests.flows.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONFIG = """
global: {{scrape_interval: 200ms, scrape_timeout: 200ms}}
scrape_configs:
  - job_name: swak
    static_configs: [{{targets: ["{target}"]}}]
"""
FROM = '{job="swak"}'


class Prometheus:
    """Scrapes five times a second, and answers queries."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0

    def watch(self, target: str) -> None:
        """Start to scrape HOST:PORT."""
        config = self._folder / "prometheus.yml"
        config.write_text(CONFIG.format(target=target))
        self._port = free_port()
        command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={self._folder / 'data'}"]
        command += [f"--web.listen-address=127.0.0.1:{self._port}"]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self._folder)
        until(self._ready, (self._folder / "log").read_text)

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(20)

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Return the series that an expression has now: labels and value."""
        answer = self._get("/api/v1/query?" + urllib.parse.urlencode({"query": expression}))
        return [(one["metric"], float(one["value"][1])) for one in answer["result"]]

    def kinds(self) -> dict[str, str]:
        """Return the kind of each metric that the target has told."""
        found = self._get("/api/v1/targets/metadata?" + urllib.parse.urlencode({"match_target": FROM}))
        return {one["metric"]: one["type"] for one in found}

    def _get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=20) as answer:
            return json.load(answer)["data"]

    def _ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "log").read_text()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/-/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[Prometheus]:
    if shutil.which("prometheus") is None:
        pytest.skip("needs prometheus: apt-get install prometheus")
    folder = tmp_path / "prometheus"
    folder.mkdir()
    server = Prometheus(folder)
    try:
        yield server
    finally:
        server.stop()
