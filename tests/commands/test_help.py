"""Help has two names, whoever asks first."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from swak.cli import COMMANDS, swak


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_was_used_on_its_own_keeps_both_names(name: str) -> None:
    group = swak
    command = group.get_command(group.make_context("swak", [], resilient_parsing=True), name)
    assert command is not None
    for flag in ("-h", "--help"):
        assert CliRunner().invoke(command, [flag]).exit_code == 0
        assert CliRunner().invoke(group, [name, flag]).exit_code == 0
