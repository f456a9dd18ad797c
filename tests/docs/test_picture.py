from __future__ import annotations

import runpy
import xml.etree.ElementTree as ET
from pathlib import Path

from swak.stats import StageView, Tally
from swak.view import Frame

SCRIPT = Path(__file__).parents[2] / "docs" / "picture.py"


def test_the_picture_is_an_svg_that_shows_the_stages() -> None:
    view = StageView("web", "Regex", "filter", "running", Tally(), 0, 0, 0.5, None, 0, 0)
    drawn = runpy.run_path(str(SCRIPT))["svg"](Frame("web.py", (view,), {}, 60))
    shown = "".join(ET.fromstring(drawn).itertext()).replace("\xa0", " ")
    assert "swak up web.py" in shown
    assert "Regex" in shown
