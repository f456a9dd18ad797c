"""The names of the help option, the same for every command, with or without the group around it."""

from __future__ import annotations

HELP_NAMES = {"help_option_names": ["-h", "--help"]}
"""click's settings. A command keeps the help option of its first use, so each command has to name it itself."""
