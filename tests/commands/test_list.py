"""`swak list`."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

from click.testing import CliRunner, Result

from swak.cli import swak
from swak.discovery import standard

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def run(*arguments: str) -> Result:
    return CliRunner().invoke(swak, ["list", *arguments])


def test_standard_and_external_plugins_are_counted_and_described() -> None:
    text = run().stdout
    assert text.startswith(f"Swak has {len(standard())} standard plugins:\n")
    assert re.search(r"(?m)^  Plugin +Description$", text)
    assert re.search(r"(?m)^  out\.Null +Drop everything", text)
    assert re.search(r"(?m)^And \d+ external plugin\(s\):$", text)


def test_one_kind_can_be_listed() -> None:
    text = run("--kind", "buffer").stdout
    assert "out.TimedBuffer" in text
    assert "out.Null" not in text


def test_plugins_in_the_files_of_the_folder_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text('class Mine(Input):\n    """Is mine."""\n')
    text = run().stdout
    assert "And 1 in the files of this folder:" in text
    assert re.search(r"(?m)^  in_\.Mine +Is mine\.$", text)


def test_json_has_the_same_for_programs() -> None:
    found = json.loads(run("--json").stdout)
    null = next(one for one in found if one["use"] == "out.Null")
    assert (null["name"], null["kind"], null["origin"]) == ("Null", "output", "swak")


def test_an_unknown_kind_is_wrong_usage() -> None:
    assert run("--kind", "codec").exit_code == 2


def test_the_list_works_without_the_plugin_package() -> None:
    code = "import sys; sys.modules['swak.plugins'] = None\nfrom swak.cli import swak\nswak(['list'])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("Swak has 0 standard plugins:")
