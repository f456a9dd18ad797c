"""Whatever comes over the control socket, the agent answers each line or shuts the client out, and goes on."""

from __future__ import annotations

import json
import random
import socket
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from swak import in_, out, task
from swak.testing import Recorder
from tests.control.served import served

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Unix sockets")

ROUNDS = 300
VERBS = ["hello", "status", "snapshot", "flush", "pause", "resume", "restart", "tap", "inject", "stacks", "", "a" * 999]
VERBS += ["attach", "evaluate", "interrupt"]
VALUES: list[Any] = [None, True, 0, -1, 1e300, 2**70, "", "Drop", "t/Drop", "\udc80", "x" * 5_000, [], [[]], [{}], {}]
VALUES += [
    {"a": {"b": []}},
    ["x", 5],
    [{"record": {"n": 1}, "tag": None}],
    "n >",
    "n == 1",
    "stages",
    "while True: pass",
]
NAMES = [
    "stage",
    "where",
    "sample",
    "limit",
    "events",
    "tag",
    "wait_s",
    "now",
    "id",
    "protocol",
    "other",
    "code",
    "write",
    "limit_s",
]


def line_of(rng: random.Random) -> bytes:
    """Make a line: a request with anything in it, a piece of one, or noise."""
    given = {name: rng.choice(VALUES) for name in rng.sample(NAMES, rng.randrange(5))}
    if rng.random() < 0.9:
        given["verb"] = rng.choice(VERBS)
    if "wait_s" not in given:
        given["wait_s"] = 0.01
    line = json.dumps(given).encode()
    kind = rng.random()
    if kind < 0.1:
        return rng.randbytes(rng.randrange(300)).replace(b"\n", b"") + b"\n"
    if kind < 0.2:
        return line[: rng.randrange(len(line))] + b"\n"
    return line + b"\n"


@pytest.mark.parametrize("seed", range(4))
def test_nothing_that_is_sent_harms_the_flow(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    source, sink = in_.Memory(follow=True), Recorder()
    with served(tmp_path, task(source, out.Drop("n == 0"), sink, name="t")) as one:
        for number in range(ROUNDS):
            with socket.socket(socket.AF_UNIX) as sock, suppress(BrokenPipeError, ConnectionResetError):
                sock.connect(str(one.path))
                sock.settimeout(20)
                sock.sendall(b"".join(line_of(rng) for _ in range(rng.randrange(1, 4))))
                if rng.random() < 0.5:
                    told = sock.recv(65_536)
                    assert not told or told.startswith(b'{"id":')
            source.feed({"n": number + 1, "own": True})
        with one.connect() as connection:
            for post in one.run.crew.posts:
                connection.ask("resume", stage=post.name)
            assert connection.ask("hello")["ok"]
        source.end()
        assert one.run.wait(30)
        assert one.run.receipt().failed == ()
    assert [record["n"] for record in sink.records if record.get("own")] == list(range(1, ROUNDS + 1))
