"""`python -m swak`."""

from __future__ import annotations

import subprocess
import sys

from swak import __version__


def test_the_package_can_be_run_as_a_module() -> None:
    command = [sys.executable, "-m", "swak", "--version"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.startswith(f"swak {__version__} ")
