"""What the workloads read: lines of an access log, generated or from a file, and what is made of them."""

from __future__ import annotations

import gzip
import hashlib
import itertools
import json
import random
import re
import time
import zlib
from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from swak.bench.checks import COMBINED, parsed
from swak.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader
    from pathlib import Path

FILES = 64
CHUNK_EVENTS = 1_000
PER_SECOND = 50
START_S = 1_795_223_247
"""When the generated logs begin; any second will do, as long as it is always the same."""

USER = re.compile(rb"^(\S+ - )\S+( \[)")
PATHS = ("/articles/{}.html", "/api/v2/users/{}?fields=id,name", "/static/app.{}.js", "/search?q=swak&page={}", "/")
REFERERS = ("-", "https://example.com/", "https://example.com/articles/?page=2&sort=new", "https://www.google.com/")
AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "kube-probe/1.29",
    "curl/8.7.1",
)
METHODS = ("GET",) * 17 + ("POST", "POST", "HEAD")
STATUSES = ("200",) * 15 + ("304", "301", "404", "404", "500")


def generated(seed: int) -> Iterator[bytes]:
    """Yield lines as nginx writes them, about 205 bytes each, for ever. No two are the same; a seed gives the same."""
    draw = random.Random(seed)  # noqa: S311 - no secret, the same lines each time
    hosts = [".".join(str(draw.randrange(1, 255)) for _ in range(4)) for _ in range(5_000)]
    for number in itertools.count():
        if number % PER_SECOND == 0:
            stamp = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(START_S + number // PER_SECOND))
        one, two = draw.random(), draw.random()
        path = PATHS[number % 5].format(int(one * 99_991))
        path += f"{'&' if '?' in path else '?'}token={number:09d}"
        status = STATUSES[int(two * 20)]
        request = f"{METHODS[int(two * 397) % 20]} {path} HTTP/1.1"
        size = 0 if status == "304" else int(one * two * 40_000)
        agent = AGENTS[int(one * 613) % 6]
        referer = REFERERS[int(two * 811) % 4]
        yield f'{hosts[int(one * 5_000)]} - - [{stamp}] "{request}" {status} {size} "{referer}" "{agent}"\n'.encode()


def repeated(source: Path) -> Iterator[bytes]:
    """Yield the lines of a log (plain or .gz) again and again. ConfigError at a line that is not in combined format."""
    with _opened(source) as lines:
        for number, line in enumerate(lines, 1):
            if not line.endswith(b"\n") or COMBINED.fullmatch(line[:-1].decode("utf-8", "replace")) is None:
                what = f"this is no line of nginx's combined format: {line!r:.200}"
                raise ConfigError([Problem(what, "the log must hold such lines only", str(source), number)])
            yield line
    while True:
        with _opened(source) as lines:
            yield from lines


_Lines: TypeAlias = "gzip.GzipFile | BufferedReader"


def _opened(source: Path) -> _Lines:
    """Open a log. ConfigError when that is not possible, or nothing is in it."""
    mend = "give a log that can be read, or none"
    try:
        file: _Lines = gzip.GzipFile(source) if source.suffix == ".gz" else source.open("rb")
        empty = not file.peek(1)
    except (OSError, EOFError, zlib.error) as error:
        raise ConfigError([Problem(f"cannot read {source}: {error}", mend)]) from error
    if empty:
        file.close()
        raise ConfigError([Problem(f"{source} holds no line", mend)])
    return file


def record(number: int) -> dict[str, str | int | float]:
    """Return what nginx might say of one request in JSON: about 290 bytes, 10,000 requests a second."""
    return {
        "@timestamp": time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(START_S + number // 10_000)),
        "remote_addr": f"10.0.{number % 256}.{number % 251}",
        "method": "GET",
        "path": f"/articles/{number}.html?page={number % 97}",
        "status": 200 if number % 20 else 404,
        "body_bytes_sent": number % 9_000,
        "request_time": number % 1_000 / 1_000,
        "http_referer": f"https://example.com/{number % 50}",
        "http_user_agent": AGENTS[0],
    }


class Corpus:
    """The inputs of one run of the benchmark, each made when it is first asked for. With no events, all are empty."""

    def __init__(self, folder: Path, events: int, source: Path | None = None, seed: int = 1) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.events, self._source, self._seed = folder, events, source, seed

    def _lines(self) -> Iterator[bytes]:
        endless = generated(self._seed) if self._source is None else repeated(self._source)
        return itertools.islice(endless, self.events)

    @cached_property
    def log(self) -> Path:
        """The access log."""
        path = self.folder / "access.log"
        with path.open("wb") as out:
            out.writelines(self._lines())
        return path

    @cached_property
    def logs(self) -> list[Path]:
        """The same lines in 64 files, in turns. The user's name in each line is that of its file."""
        folder = self.folder / "many"
        folder.mkdir()
        paths = [folder / f"f{number:02d}.log" for number in range(FILES)]
        names = [rb"\1%s\2" % path.stem.encode() for path in paths]
        with ExitStack() as stack:
            outs = [stack.enter_context(path.open("wb")) for path in paths]
            for number, line in enumerate(stack.enter_context(self.log.open("rb"))):
                outs[number % FILES].write(USER.sub(names[number % FILES], line, count=1))
        return paths

    @cached_property
    def json(self) -> Path:
        """JSON lines, as compact as nginx writes them."""
        path = self.folder / "records.jsonl"
        with path.open("w", encoding="ascii", newline="\n") as out:
            for number in range(self.events):
                out.write(json.dumps(record(number), separators=(",", ":")) + "\n")
        return path

    @cached_property
    def frames(self) -> Path:
        """The log's records as packed chunks of Fluentd's forward protocol that want acks."""
        import msgpack  # type: ignore[import-untyped]  # noqa: PLC0415 - it has no types; one workload needs it

        path = self.folder / "frames"
        with self.log.open("rb") as log, path.open("wb") as out:
            for made in itertools.count():
                part = list(itertools.islice(log, CHUNK_EVENTS))
                if not part:
                    return path
                stamp = msgpack.ExtType(0, START_S.to_bytes(4, "big") + made.to_bytes(4, "big"))
                entries = b"".join(msgpack.packb([stamp, parsed(line)]) for line in part)
                out.write(msgpack.packb(["access", entries, {"chunk": f"{made:016d}", "size": len(part)}]))
        raise AssertionError("counting has no end")

    @cached_property
    def kept(self) -> int:
        """How many lines of the log have another status than 404."""
        with self.log.open("rb") as log:
            return sum(parsed(line)["status"] != "404" for line in log)

    @property
    def chunks(self) -> int:
        """How many chunks `frames` holds."""
        return -(-self.events // CHUNK_EVENTS)


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
