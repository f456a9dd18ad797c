from __future__ import annotations

import socket

import pytest
from click.testing import CliRunner

from swak.cli import swak


@pytest.mark.parametrize("given", ["x", "127.0.0.1", "127.0.0.1:99999", "::1:80", "-1", "²"])
def test_what_is_no_address_is_wrong_usage(given: str) -> None:
    done = CliRunner().invoke(swak, ["up", "--metrics", given, "-e", "task(in_.Memory([]), out.Null())"])
    assert done.exit_code == 2
    assert "HOST:PORT" in done.output


def test_an_address_that_is_taken_ends_the_command_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        given = f"127.0.0.1:{server.getsockname()[1]}"
        done = CliRunner().invoke(swak, ["up", "--metrics", given, "-e", "task(in_.Memory([]), out.Null())"])
    assert done.exit_code == 1
    assert given in done.output
    assert "--metrics" in done.output


@pytest.mark.parametrize("given", ["0", ":0", "127.0.0.1:0", "localhost:0"])
def test_a_free_port_is_found_and_told(given: str) -> None:
    done = CliRunner().invoke(
        swak,
        ["up", "--metrics", given, "--ephemeral", "--log-format", "json", "-e", "task(in_.Memory([]), out.Null())"],
    )
    assert done.exit_code == 0, done.output
    assert "/metrics" in done.output
