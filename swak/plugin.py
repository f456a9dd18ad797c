"""The base classes of plugins: options, life cycle, and one verb each. They know nothing of actors and threads."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

from swak.ack import Position
from swak.clock import SYSTEM, Clock
from swak.errors import Problem, Refused, report
from swak.event import EVENTS_MAX, Batch, Body, Chunk, Event, gather
from swak.log import Log
from swak.options import Declared, Duration, Option, collect, option, suggest
from swak.recipe import Pipeable, calling_place

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from swak.sockets.kept import Berth  # noqa: TC004 - a layer above, and no option


class Pending:
    """What `Output.write` returns when the batch is safe only after the next `sync`."""


class Plugin(Pipeable):
    """A stage's work. Making one is pure: files, sockets and state begin in `open` and end in `close`."""

    kind: ClassVar[str] = ""
    options: ClassVar[Mapping[str, Option]] = {}
    uses_terminal: ClassVar[bool] = False
    """Whether the plugin reads or writes the terminal: no live view is drawn over it."""
    clock: Clock = SYSTEM
    """Where the plugin gets the time from. Set by whoever runs it."""
    hang_after_s: ClassVar[float] = 60.0
    """How long one call may take before the supervisor gives the seat to a successor."""
    ended: bool = False
    """Whether nothing will come any more, in this run. Set before the last `close`."""

    keeps_bytes: int = 0
    """Bytes of events that it may keep besides those in its hands. Whoever runs it may set it to less."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        declared = {name: value for name, value in vars(cls).items() if isinstance(value, Declared)}
        cls._declared = declared  # type: ignore[attr-defined]
        cls.options = collect(cls)

    def __init__(self, *values: Any, **named: Any) -> None:
        """Take the options in the order of their declaration or by name; report what does not fit."""
        self.place = calling_place()
        self.options_given: dict[str, Any] = {}
        self.valid = True
        problems = [Problem(f"{self.name}: {what}", mend, *self.place) for what, mend in self._bind(values, named)]
        if problems:
            self.valid = False
            report(problems)

    @property
    def name(self) -> str:
        """The name by which recipes know the plugin."""
        return type(self).__name__

    @cached_property
    def log(self) -> Log:
        """The agent's log, with this plugin's name on every line: `self.log.warning("what happened", field=value)`."""
        return Log("swak.plugins", plugin=self.name)

    def _bind(self, values: tuple[Any, ...], named: dict[str, Any]) -> list[tuple[str, str]]:
        problems = []
        names = [name for name, declared in self.options.items() if not declared.keyword]
        if len(values) > len(names):
            what = f"takes at most {len(names)} options by position, {len(values)} were given"
            problems.append((what, f"see: swak desc {self.name}"))
        given = dict(zip(names, values, strict=False))
        for name, value in named.items():
            if name not in self.options:
                problems.append((f'unknown option "{name}"', suggest(name, self.options)))
            elif name in given:
                problems.append((f'option "{name}" is given twice', "leave one of the two out"))
            else:
                given[name] = value
        for name, declared in self.options.items():
            if name not in given and declared.required:
                problems.append((f'option "{name}" is missing', f"give {name}= ({declared.doc})"))
            try:
                value = given.get(name, declared.default)
                setattr(self, name, None if value is None and name not in given else declared.parse(value))
            except ValueError as error:
                if name in given or not declared.required:
                    problems.append((f'option "{name}" {error}', ""))
        self.options_given = given
        return problems

    def fresh(self) -> Self:
        """Return an unopened plugin with the same options."""
        made = type(self)(**self.options_given)
        made.place = self.place
        return made

    def check(self) -> list[tuple[str, str]]:
        """Name what is wrong with the options taken together, as (what, mend). Touches no file, no socket."""
        return []

    def open(self) -> None:
        """Acquire files, sockets and state.

        An OSError of an input or an output is tried again. Any other error ends the seat: a few in a row, and the task
        has failed for a while.
        """

    def close(self) -> None:
        """Release what `open` acquired. Called also after a failed `open`, and perhaps more than once.

        By the thread that called `open`, or, when that has died, by another one.
        """

    def abort(self) -> None:
        """Make a call that hangs in another thread fail soon, and every later effect with it.

        Called from outside, while that call is under way. Never close a descriptor here (another thread may get its
        number): shut sockets down, put a null device in the place of files.
        """

    def measures(self) -> Mapping[str, float]:
        """Return what else of it is worth watching, by name, units last. Called from another thread."""
        return {}

    def due_at(self) -> float | None:
        """Return the monotonic time at which the plugin wants to be called next, or None."""
        return None


class Extent(NamedTuple):
    """What an input has read of the bytes of one source, since these began anew for the `cycle`-th time."""

    cycle: int
    path: str
    begin: int
    """What is before this byte is no matter of this source: it was read from another one."""
    skipped: int
    """What is before this byte was passed over, as the options say."""
    read: int
    """Byte after what was handed out last."""
    size: int
    """How many bytes the source was seen to have."""
    unit: str = "bytes"
    """What is counted here, where it is something else."""


class Input(Plugin):
    """Obtains events from somewhere."""

    kind = "input"
    replays: ClassVar[bool] = False
    """Whether unsettled events are read again after a restart of the process. What does not replay can be lost."""

    wait_s: float = 0.5
    """How long one `read` may wait for something to arrive. Set by whoever runs the input, before each call."""
    coming: bool = False
    """Whether `read` left something behind that has come. While it does, events whose senders wait become safe together
    with those that follow, and not each time when there is no more to write."""
    once: bool = False
    """Whether to end where the source ends now, instead of waiting for more. May be set while the input is open."""

    berth: Berth | None = None
    """Where sockets are left to a successor, and found. Set by whoever runs the input; None: nothing outlives it."""
    settled: Callable[[str], Position] | None = None
    """Up to which position a source is settled, None when nothing of it is. Set by whoever runs the input."""

    def patience_s(self) -> float | None:
        """How long those who send the events wait to hear that they are settled, if they do."""
        return None

    @property
    def endless(self) -> bool:
        """Whether it never ends, even with `once`: a generator without a count."""
        return False

    @property
    def identity(self) -> str:
        """Key of this input's positions in the checkpoint of its task."""
        return self.name

    def seek(self, positions: Mapping[str, Position]) -> None:
        """Read on after these positions, one for each source. Called before `open`.

        An input that does not override this cannot go back: a batch that its seat takes with it when it dies is lost,
        and the receipt says so.
        """

    def read(self) -> Chunk | list[Chunk] | list[Event] | None:
        """Return what has arrived, or None after at most `wait_s`. EndOfInput when there will never be more.

        A Chunk without events only tells a position: it counts as settled at once, and nothing flows.
        """
        raise NotImplementedError

    def reads(self, path: str) -> bool:
        """Tell whether it reads what lies at this absolute path, now or later. Told from the options alone."""
        del path
        return False

    def listens_on(self) -> list[tuple[str, str, int]]:
        """Return the protocol ("tcp", "udp"), host and port of each address that it listens on."""
        return []

    def rest(self) -> Chunk | list[Chunk] | None:
        """Return what was held back until more comes, or None. Asked until None, when reading stops for good.

        What is taken out of a source is returned at once: nobody counts what an input keeps, when time is up before
        it is asked again.
        """
        return None

    def notes(self) -> str:
        """Return what the receipt should say of this input besides the figures, e.g. what was cut."""
        return ""

    def losses(self) -> dict[str, int]:
        """Return what the input could not take or keep since it was made, by reason; a reason ends in the unit.

        Called from another thread.
        """
        return {}

    def extents(self) -> Mapping[str, list[Extent]]:
        """Return, by source, what was read of its bytes, for the ledger. Called from another thread."""
        return {}

    def reached(self, position: Position) -> tuple[int, int] | None:
        """Return the cycle and the byte that a position stands for; None where sources have no bytes."""
        del position
        return None

    def answer(self) -> None:
        """Tell senders what is settled (`Chunk.told`). Called when `read` is not: there is no room, or the end is near.

        An input stays open at the end until all that its senders wait for is settled.
        """

    def gone(self) -> list[str]:
        """Name sources that will never be read again; once settled, their positions are forgotten."""
        return []

    def interrupt(self) -> None:
        """Let a `read` that waits return at once. Called from other threads."""


class DeadEvent(NamedTuple):
    """An event that a stage could not take, and why."""

    event: Event
    reason: str
    trace: str = ""
    stage: str = ""
    """Of several filters that share a seat: the one that could not take it."""


class Outcome:
    """What became of the events of one batch in a filter."""

    __slots__ = ("dead", "filtered", "made", "parts")

    def __init__(self) -> None:
        self.parts: list[tuple[Body, str | list[str]]] = []
        self.dead: list[DeadEvent] = []
        self.filtered = 0
        self.made = 0


class Filter(Plugin):
    """Changes, drops or parses events."""

    kind = "filter"
    spreads: ClassVar[bool | None] = None
    """Whether copies may work side by side, each on some of the batches (`task(..., workers=2)`): then nothing may be
    kept from one batch to the next. None: that is so when the class shows no place to keep anything, neither `open`
    nor `close` of its own nor a method that sets an attribute. False: it stays in the agent, and so do those behind."""

    def process(self, event: Event) -> Event | list[Event] | None:
        """Return what takes the event's place: an event, several, or None to drop it.

        Refused sends it to the dead letters.
        """
        raise NotImplementedError

    def process_batch(self, batch: Batch) -> Outcome:
        """Process a whole batch. Override where the cost matters; the outcome must equal that of `process`."""
        return process_each(self, batch)

    def json_columns(self) -> Sequence[str] | None:
        """Return the fields that it looks at, if its `process_batch` can do with JSON lines and the values of those.

        Such bodies are `swak.formats.json_text.JsonText`. None: it wants records. Called before `open`.
        """
        return None


class Buffer(Plugin):
    """Holds events back and releases them together."""

    kind = "buffer"
    decouples: ClassVar[bool] = False
    """Whether it takes events on when everything below it is full, so that a branch behind it stops no other."""

    def halves(self) -> tuple[Output, Input] | None:
        """Return what stands here instead where events are kept on disk: an output, and the input of a new flow.

        Such a buffer is never added to itself.
        """
        return None

    def longest_s(self) -> float:
        """How long an event may stay here unsettled, as far as the options tell; infinite when nothing limits it."""
        return 0.0

    def add(self, batch: Batch) -> None:
        """Take a batch in. It stays the runtime's: after a failure it comes again, in order."""
        raise NotImplementedError

    def take(self, *, end: bool) -> Batch | None:
        """Return the next batch that is due, oldest events first, or None.

        At the `end` everything is due. So it is when memory is short: more may be added after that.
        """
        raise NotImplementedError


class Output(Plugin):
    """Sends events to their destination."""

    kind = "output"
    more_follows = False
    """Whether the next write follows this one at once: what is answered with Pending may wait for it."""
    connects: ClassVar[bool] = False
    """Whether `open` reaches a far end and changes nothing else: `swak doctor --connect` opens and closes it then."""
    retry_for: Duration | None = option(
        "How long a batch that cannot be delivered is tried again, before it goes to the dead letters; None: for ever.",
        default=None,
        above=0,
        keyword=True,
    )

    def write(self, batch: Batch) -> type[Pending] | None:
        """Deliver the batch: None when it is safe there, Pending when it will be after `sync`.

        OSError and Retry bring the same batch again, for `retry_for` at most; Refused names the events that never fit;
        any other exception brings the batch to a fresh plugin, then in halves, until the one event that fails goes to
        the dead letters.
        """
        raise NotImplementedError

    def takes_json(self) -> bool:
        """Tell whether it does nothing with records but write them as JSON, so that a body may come as JSON lines.

        What such a body holds can still be read as records, at the cost of reading them.
        """
        return False

    def writes_to(self) -> list[str]:
        """Return the absolute paths of files that it appends to: no input of the recipe may read them."""
        return []

    def sync(self) -> None:
        """Make everything that was answered with Pending safe."""

    def probe(self) -> bool:
        """While the output is down: tell, within half a second, whether another try is worth it. Never raises."""
        return False

    def alive(self) -> bool:
        """Tell, at once, whether the far end is still there, as far as can be seen without writing. Never raises."""
        return True

    def inherit(self, old: Output) -> bool:
        """Take over from a plugin whose seat died, before `open`: True if what is pending there is safe with us."""
        del old
        return False


def process_each(plugin: Filter, batch: Batch) -> Outcome:
    """Run `process` on each event. An event that raises is dead, with its traceback; the others go on."""
    outcome = Outcome()
    kept: list[Event] = []
    for event in batch.events():
        try:
            made = plugin.process(event)
        except Refused as refused:
            outcome.dead.append(DeadEvent(event, refused.reason))
            continue
        except MemoryError:
            raise
        except BaseException as error:  # noqa: BLE001 - SystemExit from a plugin is a plugin's error like any other
            outcome.dead.append(DeadEvent(event, f"{type(error).__name__}: {error}", traceback.format_exc()))
            continue
        if made is event or isinstance(made, Event):
            kept.append(made)
        elif made is None:
            outcome.filtered += 1
        elif not isinstance(made, list | tuple) or not all(isinstance(one, Event) for one in made):
            wrong = f"{plugin.name}: process() returns an event, several in a list, or None, not {made!r:.80}"
            outcome.dead.append(DeadEvent(event, wrong))
        else:
            outcome.filtered += 0 if made else 1
            outcome.made += max(0, len(made) - 1)
            kept.extend(made)
    share = batch.size_bytes // max(1, batch.count)
    for start in range(0, len(kept), EVENTS_MAX):
        group = kept[start : start + EVENTS_MAX]
        outcome.parts.append(gather(group, share * len(group)))
    return outcome
