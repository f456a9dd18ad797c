"""Send events over HTTP."""

import random
import zlib
from typing import ClassVar

from swak.errors import Refused, Retry
from swak.event import Batch
from swak.formats.registry import Format, FormatName, Shape
from swak.options import Duration, Size, option
from swak.plugin import Output
from swak.sockets.delivery import Delivery
from swak.sockets.http_client import Answer, HttpClient, read_url
from swak.sockets.http_gate import authorization
from swak.sockets.http_items import AGAIN, read_items

BACKOFF_FIRST_S, BACKOFF_MAX_S = 0.5, 30.0
OF_THE_EVENTS = {400, 413, 422}
"""Answers that speak of what was sent, and not of who sends it: some of it may be wanted."""
GZIP_LEVEL = 5


class Http(Output):
    """Post events to a URL, many in one request, and wait for the answer.

    `json` sends one object a line (NDJSON), `json_array` one array; the other formats are those of `out.File`. Bodies
    hold at most `max_body` bytes before compression, or one event.

    **2xx**: the events are delivered. **429, 408, 425, 5xx** and connections that break: the same request again, for
    ever, after what `Retry-After` says (at most 5 minutes) or growing pauses of up to 30 s; an answer that gets lost
    makes events arrive twice. **413**: the body is halved, and later ones are kept below that size. **400, 422**: the
    body is halved until the events are found that the server does not want, unless it has refused 32 and taken none.
    Those, all events of any other **4xx** and of **3xx** (it is not followed), and what the format cannot carry go to
    the dead letters, with the server's text. A 2xx that speaks of each event (`{"errors": true, "items": [{"status":
    400, "error": ...}, ...]}`, as bulk interfaces do) is taken by its word: those with 429 or 5xx are sent again, those
    with another error are dead letters, and all are when it says that there were errors, but not where.

    The connection is kept. When it turns out to have ended while a body was on its way, that is sent again at once,
    and may arrive twice. An answer has `timeout` to come as a whole. `https://` checks the server's certificate against
    `ca`, or the system's authorities. No proxy is used, whatever the environment says.

    Example:
        `task(in_.FileTailing("app.log"), out.Json(), out.Http("https://logs.example.com/in", gzip=True))`
    """

    url: str = option("Where to post to: http:// or https://, host, port and path.")
    format: FormatName = option("What a body holds.", default="json")
    gzip: bool = option("Whether bodies are compressed.", default=False)
    headers: dict[str, str] = option("More header fields.", default={}, secret=True)
    user: str | None = option("Name for basic authentication.", default=None)
    password: str = option("Password for basic authentication.", default="", secret=True)
    token: str | None = option("Bearer token.", default=None, secret=True)
    method: str = option("POST or PUT.", default="POST")
    timeout: Duration = option("How long connecting, sending and the answer may take, each.", default="30s", above=0)
    max_body: Size = option("Bytes of a body before compression.", default="4MiB", above=0)
    ca: str | None = option("File with the certificates to trust.", default=None)
    fields: list[str] | None = option("Columns of csv, tsv and ltsv.", default=None)
    template: str = option('What a line shows, e.g. "{time} {tag} {message}".', default="")
    zone: str = option('Time zone of {time}: "UTC", "local" or a name such as "Asia/Seoul".', default="UTC")

    hang_after_s: ClassVar[float] = 300.0

    connects = True
    _aborted = False
    _client: HttpClient | None = None
    _format: Format | None = None
    _delivery: Delivery | None = None
    _tries = 0
    _part_bytes = 0

    def check(self) -> list[tuple[str, str]]:
        problems = self._shape().problems()
        try:
            read_url(self.url)
        except ValueError as error:
            problems.append((f"url: {error}", 'write e.g. "http://192.168.0.1:8080/logs"'))
        if self.method not in {"POST", "PUT"}:
            problems.append((f'method "{self.method}" sends no events', 'give "POST" or "PUT"'))
        if self.user is not None and self.token is not None:
            problems.append(("user and token are both given", "leave one of them out"))
        bad = [name for name, value in self.headers.items() if not f"{name}{value}".isprintable() or ":" in name]
        if bad:
            problems.append((f"headers: {bad[0]!r} is no header field", 'write e.g. {"X-Source": "web1"}'))
        return problems

    def takes_json(self) -> bool:
        return self.format in {"json", "json_array"}

    def open(self) -> None:
        self._format = self._shape().made()
        self._part_bytes = self._part_bytes or self.max_body
        if self._client is None:
            self._client = HttpClient(read_url(self.url), self.timeout, self.ca)
        if self._aborted:
            self._client.abort()
        self._client.connect()

    def write(self, batch: Batch) -> None:
        assert self._format is not None
        pieces = self._format.pieces(batch)
        delivery = self._delivery
        if delivery is None or not delivery.same(pieces):
            delivery = self._delivery = Delivery(pieces, self._part_bytes)
        while part := delivery.part():
            self._judge(delivery, self._post(list(part)), len(part), sum(map(len, part)))
        self._delivery, self._tries = None, 0
        if delivery.refused:
            events = batch.events()
            raise Refused([events[at] for at in sorted(delivery.refused)], next(iter(delivery.refused.values())))

    def probe(self) -> bool:
        return self._client is not None and self._client.probe()

    def close(self) -> None:
        if self._client is not None:
            self._client.close()

    def abort(self) -> None:
        self._aborted = True
        if self._client is not None:
            self._client.abort()

    def _judge(self, delivery: Delivery, answer: Answer, count: int, size_bytes: int) -> None:
        """Decide what an answer means for the part that was sent."""
        status = answer.status
        if 200 <= status < 300:
            self._sort_out(delivery, answer, count)
            self._tries = 0
        elif status in AGAIN or status >= 500 or status < 200:
            raise self._later(answer, answer.reason)
        else:
            if status == 413:
                self._part_bytes = max(1, min(self._part_bytes, size_bytes // 2))
            if status not in OF_THE_EVENTS or delivery.hopeless or not delivery.halve():
                delivery.refuse(answer.reason)

    def _later(self, answer: Answer, reason: str) -> Retry:
        """Return what brings the batch again, after what the server says, or a pause that grows."""
        self._tries += 1
        pause_s = min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2 ** min(self._tries - 1, 16)) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
        after_s = pause_s if answer.retry_after_s is None else max(answer.retry_after_s, 0.05)
        self.log.warning("the server asks for time", answer=reason, after_s=round(after_s, 2))
        return Retry(reason, after_s)

    def _sort_out(self, delivery: Delivery, answer: Answer, count: int) -> None:
        """Note what a server says of each event of those it took, if it does. Retry: some are to come again."""
        if answer.body is None:
            self.log.warning("the answer is too long to be read: its events count as delivered", answer=answer.reason)
        try:
            verdict = read_items(answer.body, count) if answer.body else None
        except ValueError as error:
            delivery.refuse(f"{error}: {answer.reason}")
            return
        if verdict is None:
            delivery.delivered()
            return
        delivery.sort_out(verdict.refused, verdict.again)
        if verdict.again:
            raise self._later(answer, f"{len(verdict.again)} of {count} events are to come again")

    def _post(self, part: list[bytes]) -> Answer:
        assert self._format is not None
        assert self._client is not None
        headers = {"Content-Type": self._format.content_type, "User-Agent": "swak"}
        if (known := authorization(self.user, self.password, self.token)) is not None:
            headers["Authorization"] = known
        body = self._format.joined(part)
        if self.gzip:
            packer = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, zlib.MAX_WBITS | 16)
            body = packer.compress(body) + packer.flush()
            headers["Content-Encoding"] = "gzip"
        return self._client.post(self.method, body, headers | self.headers)

    def _shape(self) -> Shape:
        return Shape(self.format, self.fields, self.template, zone=self.zone)
