"""An agent that is steered from another machine: the commands as people type them, over real TLS."""

from __future__ import annotations

import json
import signal
import socket
import sys
from typing import TYPE_CHECKING

import pytest

from tests.control.guarded import guard
from tests.flows.agent import swak, tail_of
from tests.flows.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flows.conftest import Start
    from tests.servers.certificates import Certificates

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="names and sockets of POSIX")

RECIPE = (
    'task(in_.FileTailing("app.log"), out.Drop("message == \'no\'"), out.File("out.txt", format="raw"), name="web")'
)
GUARDED = ["--control", "127.0.0.1:0", "--control-config", "control.toml"]


def address_of(folder: Path, name: str = "web") -> str:
    """Wait until an agent can be found, and return where it listens on TCP."""
    details = folder / "home" / "run" / f"{name}.json"
    until(details.exists, "the agent is there")
    return str(json.loads(details.read_text())["control"])


def token(folder: Path, text: str) -> None:
    """Write a token into a file that is its owner's only."""
    (folder / "token").write_text(text)
    (folder / "token").chmod(0o600)


def lines(folder: Path, *texts: str) -> None:
    with (folder / "app.log").open("a") as file:
        file.write("".join(f"{text}\n" for text in texts))


def test_an_agent_is_steered_and_stopped_from_another_machine(
    start: Start, tmp_path: Path, certificates: Certificates
) -> None:
    made = guard(tmp_path, certificates)
    token(tmp_path, made.operator)
    lines(tmp_path, "one")
    agent = start("-e", RECIPE, "--name", "web", "--data-dir", "data", *GUARDED)
    address = address_of(tmp_path)
    said = {
        "SWAK_CONTROL_CERT": certificates.client,
        "SWAK_CONTROL_CA": certificates.ca,
        "SWAK_CONTROL_TOKEN_FILE": str(tmp_path / "token"),
    }
    assert f"address={address}" in agent.log
    assert json.loads(swak(tmp_path, "status", "--json", "--at", address, said=said).stdout)["control"] == address
    assert swak(tmp_path, "pause", "File", "--at", address, said=said).returncode == 0
    for noise in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"\x00" * 10_000):
        with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])), 20) as sock:
            sock.sendall(noise)
    lines(tmp_path, "two", "no")
    assert swak(tmp_path, "resume", "File", "--at", address, said=said).returncode == 0
    until(lambda: tail_of(tmp_path / "out.txt") == "one\ntwo\n", lambda: tail_of(tmp_path / "out.txt"))
    stopped = swak(tmp_path, "stop", "--at", address, said=said)
    assert (stopped.returncode, stopped.stdout.endswith("clean\n")) == (0, True), stopped.stderr
    assert agent.end() == 0
    assert "token operator, certificate client, 127.0.0.1:" in agent.log
    assert made.operator not in agent.log


def test_a_stranger_is_told_nothing_and_the_agent_runs_on(
    start: Start, tmp_path: Path, certificates: Certificates
) -> None:
    guard(tmp_path, certificates)
    token(tmp_path, "wrong")
    agent = start("-e", RECIPE, "--name", "web", *GUARDED)
    address = address_of(tmp_path)
    said = {"SWAK_CONTROL_CA": certificates.ca}
    for given in (["--cert", certificates.client], ["--cert", certificates.stranger]):
        done = swak(tmp_path, "status", "--at", address, "--token-file", "token", *given, said=said)
        assert (done.returncode, done.stdout) == (1, "")
        assert "hung up without a word" in done.stderr or "does not accept our certificate" in done.stderr
    assert "turned away" in agent.log
    assert agent.end(signal.SIGTERM) == 0


def test_without_a_local_socket_there_is_still_the_one_over_tcp(
    start: Start, tmp_path: Path, certificates: Certificates
) -> None:
    made = guard(tmp_path, certificates)
    token(tmp_path, made.reader)
    (tmp_path / "home" / "run" / "web.sock").mkdir(parents=True)
    agent = start("-e", RECIPE, "--name", "web", *GUARDED)
    address = address_of(tmp_path)
    assert "there is no control socket" in agent.log
    given = ["--cert", certificates.client, "--ca", certificates.ca, "--token-file", "token"]
    assert "web/Drop         running" in swak(tmp_path, "status", "--at", address, *given).stdout
    assert agent.end(signal.SIGTERM) == 0
