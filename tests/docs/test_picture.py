from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMITTED = ROOT / "docs" / "live-view.svg"


def shown(svg: str) -> str:
    """Return what can be read in it, without spaces."""
    return "".join(ET.fromstring(svg).itertext()).replace("\xa0", "")


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "20"}, {"TERM": "xterm-256color"}])
def test_the_committed_picture_is_what_the_command_makes(tmp_path: Path, environ: dict[str, str]) -> None:
    made = tmp_path / "made.svg"
    command = [sys.executable, "-m", "docs.picture", str(made)]
    subprocess.run(command, check=True, cwd=ROOT, env={**os.environ, **environ}, timeout=50)
    assert made.read_text("utf-8") == COMMITTED.read_text("utf-8"), "make it anew: python -m docs.picture"


def test_the_picture_shows_what_an_operator_looks_for() -> None:
    text = shown(COMMITTED.read_text("utf-8"))
    for part in ("swakupshop.py", "web/FileTailing", "retrying", "bottleneck", "inuse", "3.6MB", "▇", "━"):
        assert part in text
