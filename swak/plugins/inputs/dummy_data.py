"""Make up plausible data."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, Self

from swak.options import option
from swak.pacing import PacedInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from swak.event import Record

FIRST = [
    "Ada",
    "Amir",
    "Bela",
    "Chloe",
    "Daniel",
    "Elif",
    "Emma",
    "Hana",
    "Ines",
    "Jin",
    "Joon",
    "Kofi",
    "Lena",
    "Liam",
]
FIRST += ["Maria", "Mateo", "Mina", "Noah", "Olga", "Priya", "Ravi", "Sofia", "Tariq", "Thandi", "Yuki", "Zoe"]
LAST = ["Adeyemi", "Bauer", "Costa", "Dubois", "Eriksson", "Fischer", "Garcia", "Haddad", "Ivanova", "Jensen", "Kim"]
LAST += ["Lopez", "Mensah", "Nakamura", "O'Brien", "Park", "Rossi", "Schmidt", "Tanaka", "Usman", "Weber", "Zhang"]
CITIES = ["Accra", "Berlin", "Busan", "Cairo", "Delhi", "Kyoto", "Lagos", "Lima", "Oslo", "Porto", "Quito", "Seoul"]
JOBS = ["baker", "carpenter", "chemist", "driver", "editor", "engineer", "farmer", "nurse", "pilot", "teacher"]
MAILS = ["example.com", "example.net", "example.org"]
LEVELS = ["DEBUG", "INFO", "INFO", "INFO", "INFO", "INFO", "WARNING", "ERROR"]
PARTS = ["auth", "billing", "cache", "db", "mailer", "queue", "search", "web"]
LINES = ["request {} took {} ms", "user {} signed in after {} tries", "order {} holds {} articles"]
LINES += ["retry {} of job {}", "connection {} closed after {} s", "cache {} evicted {} keys"]
PATHS = ["/", "/index.html", "/login", "/search?q=swak", "/articles/{}", "/img/{}.png", "/api/v1/users/{}"]
REQUESTS = ["GET", "GET", "GET", "GET", "POST", "HEAD"]
STATUSES = [200, 200, 200, 200, 200, 301, 304, 403, 404, 500]
AGENTS = ["curl/8.9.1", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "kube-probe/1.29"]
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
WORD = 2**64


class Draw:
    """Random choices that depend on a seed and an index only, the same in every version of Python.

    The generator is SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
    """

    def __init__(self, seed: int, index: int) -> None:
        self._state = self._mix(self._mix(seed % WORD) + index)

    def below(self, bound: int) -> int:
        """Draw a number from 0 to `bound` - 1."""
        self._state = (self._state + 0x9E3779B97F4A7C15) % WORD
        return self._mix(self._state) % bound

    def one(self, choices: list[Any]) -> Any:
        """Draw one of `choices`."""
        return choices[self.below(len(choices))]

    @staticmethod
    def _mix(value: int) -> int:
        value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 % WORD
        value = (value ^ value >> 27) * 0x94D049BB133111EB % WORD
        return value ^ value >> 31


def person(draw: Draw, index: int) -> Record:
    """Make up somebody."""
    first, last = draw.one(FIRST), draw.one(LAST)
    mail = f"{first}.{last}".lower().replace("'", "") + f"{draw.below(100)}@{draw.one(MAILS)}"
    name, age, job, city = f"{first} {last}", 18 + draw.below(70), draw.one(JOBS), draw.one(CITIES)
    return {"id": index + 1, "name": name, "age": age, "job": job, "city": city, "email": mail}


def log(draw: Draw, index: int) -> Record:
    """Make up what a program might log."""
    del index
    text = draw.one(LINES).format(draw.below(100_000), draw.below(1_000))
    return {"level": draw.one(LEVELS), "logger": draw.one(PARTS), "message": text}


def access(draw: Draw, index: int) -> Record:
    """Make up a line of a web server, a second after the one before."""
    at = (BEGIN + timedelta(seconds=index % 3_000_000_000)).strftime("%d/%b/%Y:%H:%M:%S +0000")
    address = ".".join(str(draw.below(254) + 1) for _ in range(4))
    request = f"{draw.one(REQUESTS)} {draw.one(PATHS).format(draw.below(1_000))} HTTP/1.1"
    line = f'{address} - - [{at}] "{request}" {draw.one(STATUSES)} {draw.below(20_000)} "-" "{draw.one(AGENTS)}"'
    return {"message": line}


MAKERS: dict[str, Callable[[Draw, int], Record]] = {"people": person, "log": log, "access": access}


class DummyData(PacedInput):
    """Make up plausible records, to try a recipe with.

    `people` have id, name, age, job, city and email; `log` has level, logger and message, as from a program; `access`
    has lines of a web server in `message`, for `out.Nginx`. With the same `seed` the same records come in the same
    order, in every run; without one each run makes up its own. After a failure in the same process the records go on
    where they were.

    Example:
        `main(in_.DummyData(type="people"), out.Stdout())`
    """

    type: Literal["people", "log", "access"] = option("What to make up.", default="people")
    count: int | None = option("Events until the end; without it there is none.", default=None, at_least=0)
    rate: str | float | None = option('Events a second, or "5/m"; None: as fast as they are taken.', default="1/s")
    seed: int | None = option("Number that the records follow from.", default=None)
    tag: str = option("Tag of the events.", default="dummy")

    def __init__(self, *values: Any, **named: Any) -> None:
        super().__init__(*values, **named)
        self._seed = secrets.randbits(64) if self.seed is None else self.seed

    def fresh(self) -> Self:
        made = super().fresh()
        made._seed = self._seed  # noqa: SLF001 - a later self
        return made

    def record(self, index: int) -> Record:
        return MAKERS[self.type](Draw(self._seed, index), index)
