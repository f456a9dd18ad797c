"""What every built-in plugin keeps to, whatever it does. A new plugin needs one line in EXAMPLES."""

from __future__ import annotations

import copy
import inspect
import os
import pickle
import pkgutil
import re
import threading
import time
import typing
from importlib import import_module
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from swak.ack import Source
from swak.errors import ConfigError, EndOfInput
from swak.event import Batch, Chunk, Event, Rows
from swak.formats.registry import FormatName, LineFormat
from swak.formats.rows import row_type
from swak.plugin import Buffer, Filter, Input, Output, Plugin
from swak.testing import assert_same_both_ways, batch_of, block_of, event, promise

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EXAMPLES: dict[str, Callable[[Path], dict[str, Any]]] = {
    "inputs.Counter": lambda _: {"count": 3, "rate": "100/s"},
    "inputs.DummyData": lambda _: {"count": 3, "rate": None, "seed": 1},
    "inputs.FileTailing": lambda folder: {"path": str(folder / "*.log"), "follow": False},
    "inputs.Http": lambda _: {"port": 0},
    "inputs.Forward": lambda _: {"port": 0},
    "inputs.Memory": lambda _: {"events": ["a line", {"n": 1}]},
    "inputs.Stdin": lambda _: {"max_line": "64k"},
    "inputs.Tcp": lambda _: {"port": 0, "codec": "json"},
    "inputs.Udp": lambda _: {"port": 0},
    "filters.Apache": lambda _: {"format": "common"},
    "filters.Convert": lambda _: {"types": {"n": "int", "message": "int"}, "nulls": ["?"]},
    "filters.Csv": lambda _: {"columns": ["a", "b c"]},
    "filters.Drop": lambda _: {"when": "message == '?' or n > 1"},
    "filters.Grep": lambda _: {"include": "a|한", "exclude": {"message": "x"}},
    "filters.Json": lambda _: {"time_field": "ts"},
    "filters.Kv": lambda _: {"rest": "words"},
    "filters.Logfmt": lambda _: {},
    "filters.Ltsv": lambda _: {"unescape": True},
    "filters.Nginx": lambda _: {"format": "common"},
    "filters.Reform": lambda _: {
        "set": {"tag": "${tag}: ${message}"},
        "rename": {"message": "text"},
        "tag": "x.${tag}",
    },
    "filters.Regex": lambda _: {"pattern": r"\b(?P<word>\w+)=(?P<value>\d+)"},
    "filters.Syslog": lambda _: {},
    "filters.Time": lambda _: {"field": "message", "format": ["iso", "%b %d %H:%M:%S"]},
    "filters.Tsv": lambda _: {"columns": ["a", "b"], "unescape": True},
    "filters.W3C": lambda _: {"decode": True},
    "buffers.DiskBuffer": lambda folder: {"path": str(folder / "spool")},
    "buffers.SizedBuffer": lambda _: {"count": 3},
    "buffers.TimedBuffer": lambda _: {"age": "1h"},
    "outputs.File": lambda folder: {"path": str(folder / "%Y" / "{tag}.log"), "compress": "gzip", "suffix": ".part"},
    "outputs.Fluentd": lambda _: {"host": "127.0.0.1", "port": 1},
    "outputs.Http": lambda _: {"url": "http://127.0.0.1:1/"},
    "outputs.Memory": lambda _: {},
    "outputs.Null": lambda _: {},
    "outputs.Stdout": lambda _: {"format": "json"},
    "outputs.Tcp": lambda _: {"host": "127.0.0.1", "port": 1},
    "outputs.Udp": lambda _: {"host": "127.0.0.1", "port": 1},
}
"""Options that make a working plugin, given an empty folder."""

NEEDS_FAR_END = {"outputs.Fluentd", "outputs.Http", "outputs.Tcp"}
"""Plugins that cannot be opened here: nobody answers. `open` may raise OSError, and `close` must still do."""

SENT_TO = {"inputs.Forward", "inputs.Http", "inputs.Tcp", "inputs.Udp"}
"""Inputs that others send to: they have no end, and no positions."""

BASES: dict[str, type[Plugin]] = {"inputs": Input, "filters": Filter, "buffers": Buffer, "outputs": Output}
LINES = ["", "a=1", "?", '{"a": 1, "ts": 5}', "{", '{"ts": "never"}', "한=2", "x y=3 z=4", '"']
LINES += ['1.2.3.4 - - [21/Nov/2026:01:07:27 +0000] "GET / HTTP/1.1" 200 5', "[]"]
LINES += ["a,b c", "a\tb", '1,"2""3"', '1,"2', "1,2", "1\t2\\t3", "a:1\tb:2", ":1", 'a=1 b="x y" c', 'a="x', "a = 'y"]
LINES += [
    "#Version: 1.0",
    "#Fields: date time cs(User-Agent)",
    "2026-11-21 01:07:27 Moz+illa",
    "- - -",
    '"a b" 1 2',
    "#x",
]
LINES += ["<34>Oct 11 22:14:15 web su[3]: failed", "Feb 29 01:02:03 web kernel: [1.5] up", "Oct 11 22:14:15"]
LINES += [
    '<165>1 2003-10-11T22:14:15.003Z web app - ID47 [x@1 a="b\\"]"] \ufefftext',
    "<999>1 - - - - - - x",
    "<1>1 - - - - - -",
]
LINES += ["2014-10-31T15:02:10Z", "1414767730", "12", "nul\0=\0", "\r", "\ufeff", "=", " ", "\t", "<", "a=b=c", "a:b:c"]


def _squashed(name: str) -> str:
    return name.replace("_", "").lower()


def _found() -> dict[str, type[Plugin]]:
    found = {}
    for folder in BASES:
        package = import_module(f"swak.plugins.{folder}")
        for module in pkgutil.iter_modules(package.__path__):
            home = import_module(f"{package.__name__}.{module.name}")
            here = [one for one in vars(home).values() if inspect.isclass(one) and issubclass(one, Plugin)]
            named = [one for one in here if _squashed(one.__name__) == _squashed(module.name)]
            assert named, f"{home.__name__} has no plugin class of its own name"
            found[f"{folder}.{named[0].__name__}"] = named[0]
    return found


FOUND = _found()
NAMES = sorted(FOUND)


def of(folder: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("name", [name for name in NAMES if name.startswith(folder)])


every = pytest.mark.parametrize("name", NAMES)


@pytest.fixture
def make(tmp_path: Path) -> Callable[[str], Any]:
    def made(name: str) -> Plugin:
        assert name in EXAMPLES, f'give an example: add "{name}": lambda _: {{...}} to EXAMPLES in {__file__}'
        return FOUND[name](**EXAMPLES[name](tmp_path))

    return made


def opened(name: str, plugin: Plugin) -> bool:
    """Open the plugin; tell whether that worked where it need not."""
    try:
        plugin.open()
    except OSError:
        assert name in NEEDS_FAR_END
        return False
    return True


def held() -> set[str]:
    """Name the threads and the descriptors of this process."""
    fds = {f"fd {fd} {one.st_dev} {one.st_ino}" for fd in range(256) if (one := _stat(fd)) is not None}
    return fds | {f"thread {thread.name}" for thread in threading.enumerate()}


def _stat(fd: int) -> os.stat_result | None:
    try:
        return os.fstat(fd)
    except OSError:
        return None


def options_of(plugin: Plugin) -> dict[str, Any]:
    return {name: getattr(plugin, name) for name in plugin.options}


@every
def test_it_has_an_example(name: str, make: Callable[[str], Any]) -> None:
    assert make(name).check() == []


def test_every_example_has_a_plugin() -> None:
    assert not set(EXAMPLES) - set(FOUND)


@every
def test_it_is_of_the_kind_that_its_folder_says(name: str) -> None:
    folder = name.partition(".")[0]
    assert issubclass(FOUND[name], BASES[folder])
    assert f"{FOUND[name].kind}s" == folder


@every
def test_its_docstring_is_a_reference_page(name: str) -> None:
    doc = inspect.cleandoc(FOUND[name].__doc__ or "")
    first, _, rest = doc.partition("\n")
    assert first.endswith((".", ",")) or rest, "the first line says what it does"
    _, found, example = doc.partition("Example:")
    assert found, "the docstring ends with an Example:"
    assert re.search(rf"\b(in_|out)\.{FOUND[name].__name__}\(", example), "the example uses the plugin"


@every
def test_every_option_says_what_it_is(name: str) -> None:
    for option in FOUND[name].options.values():
        assert len(option.doc) > 5, option.name
        assert option.doc[0].isupper(), option.name
        assert option.doc.endswith("."), option.name
        assert option.type_text() != "any", f"{option.name}: give it a type"


@every
def test_an_unknown_option_is_refused_with_the_plugins_name(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f'{FOUND[name].__name__}: unknown option "no_such"'):
        FOUND[name](**EXAMPLES[name](tmp_path), no_such=1)


@every
def test_making_it_acquires_nothing(name: str, make: Callable[[str], Any], tmp_path: Path) -> None:
    make(name)
    before = held()
    plugin = make(name)
    plugin.check()
    plugin.fresh()
    assert held() <= before
    assert list(tmp_path.iterdir()) == []


@every
def test_copies_have_the_same_options(name: str, make: Callable[[str], Any]) -> None:
    plugin = make(name)
    for made in (plugin.fresh(), plugin.fresh().fresh(), copy.copy(plugin), pickle.loads(pickle.dumps(plugin))):
        assert type(made) is type(plugin)
        assert options_of(made) == options_of(plugin)
        assert (made.options_given, made.place) == (plugin.options_given, plugin.place)


@every
def test_a_default_fits_its_own_option(name: str) -> None:
    for option in FOUND[name].options.values():
        if not option.required and option.default is not None:
            option.parse(option.default)


@every
def test_closing_is_always_possible(name: str, make: Callable[[str], Any]) -> None:
    make(name).close()
    plugin = make(name)
    opened(name, plugin)
    plugin.close()
    plugin.close()


@every
def test_opening_and_closing_leaves_nothing_behind(name: str, make: Callable[[str], Any]) -> None:
    def once() -> None:
        plugin = make(name)
        opened(name, plugin)
        plugin.close()

    once()  # what is imported or made once for the whole process is none of a plugin's own
    before = held()
    for _ in range(3):
        once()
    assert held() <= before


@every
def test_aborting_is_harmless_when_nothing_is_under_way(name: str, make: Callable[[str], Any]) -> None:
    make(name).abort()
    plugin = make(name)
    opened(name, plugin)
    plugin.abort()
    plugin.close()
    plugin.abort()


@of("inputs")
def test_an_input_reads_on_after_its_positions(name: str, make: Callable[[str], Any], tmp_path: Path) -> None:
    if FOUND[name].uses_terminal:
        pytest.skip("what a person types cannot be had here")
    if name in SENT_TO:
        pytest.skip("what others send cannot be had again")
    (tmp_path / "in.log").write_text("one\ntwo\n")
    first = make(name)
    first.seek({})
    chunks = read_to_the_end(first)
    positions = {chunk.source: chunk.position for chunk in chunks if chunk.position is not None}
    if not positions:
        return
    successor = first.fresh()
    successor.seek(positions)
    assert read_to_the_end(successor) == []


def read_to_the_end(plugin: Any) -> list[Chunk]:
    chunks: list[Chunk] = []
    plugin.wait_s = 0.05
    plugin.open()
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            read = plugin.read()
            if isinstance(read, Chunk) and read.body.count:
                chunks.append(read)
        raise AssertionError("the example has no end within 20 s")
    except EndOfInput:
        return chunks
    finally:
        plugin.close()


@of("inputs")
def test_an_input_has_an_identity_and_can_be_interrupted_at_any_time(name: str, make: Callable[[str], Any]) -> None:
    plugin = make(name)
    plugin.interrupt()
    assert plugin.identity
    assert plugin.identity == plugin.fresh().identity
    plugin.open()
    plugin.interrupt()
    plugin.close()
    plugin.interrupt()


Row = msgspec.defstruct("Row", [("message", Any), ("n", Any)])
WIDE = row_type("Wide", ("message", "odd name"))


def batches() -> list[Batch]:
    """Make batches of every shape, with good lines and bad ones."""
    rows, wide = [Row(line, at) for at, line in enumerate(LINES)], [WIDE(line, None) for line in LINES]
    times = [at * 86_400 * 10**9 for at in range(len(LINES))]
    return [
        block_of(*LINES, at_s=7),
        *(block_of(line, at_s=1_795_223_247) for line in LINES),
        *(block_of(line, line, line) for line in LINES),
        block_of(*[line.encode() for line in LINES], b"\xff=1", b"\xff"),
        block_of(*[line for line in LINES if line.isascii() or "한" in line], encoding="cp949"),
        block_of(*LINES * 100),
        batch_of([event({"message": line}, at_s=at) for at, line in enumerate(LINES)]),
        batch_of([event({"message": line}, tag=f"t.{at}", at_s=at) for at, line in enumerate(LINES)]),
        batch_of([event({"message": line + "\ud800"}) for line in LINES]),
        batch_of([event({}), event({"message": 5}), event({"message": None}), event({"message": b"a=1"})]),
        batch_of([event({"message": line, "n": n}) for line in LINES[:3] for n in (1, "2", 2.5, None, [3], {"x": 1})]),
        Batch(Rows(rows, times), "rows", promise(len(rows))),
        Batch(Rows(wide, times), "wide", promise(len(wide))),
        Batch(Rows([Row("12", "3")] * 1_500, [5] * 1_500), "alike", promise(1_500)),
    ]


@of("filters")
@pytest.mark.parametrize("on_error", ["dead", "pass", "drop"])
def test_a_filter_does_the_same_with_a_batch_as_with_each_event(name: str, on_error: str, tmp_path: Path) -> None:
    options = EXAMPLES[name](tmp_path)
    if "on_error" not in FOUND[name].options:
        if on_error != "dead":
            pytest.skip("it has no choice")
    else:
        options |= {"on_error": on_error} | ({"error_tag": "bad"} if on_error == "pass" else {})
    plugin = FOUND[name](**options)
    assert isinstance(plugin, Filter)
    for batch in batches():
        assert_same_both_ways(plugin, batch)


HOSTILE = [
    mark * 100_000 for mark in ("a", "[", '"', "\\", "=", " ", ",", "\t", ":", "<", "\0", "\ud800", "'", "${", "#")
]
HOSTILE += [
    'a="' + "x " * 50_000,
    "a='" + '\\"' * 100_000,
    '"' + "a," * 50_000,
    "a=1 " * 80_000 + '"',
    "a:b\t" * 80_000,
]
HOSTILE += ["1.2.3.4 - - " + "[" * 100_000, '1.2.3.4 - - [x] "' + '\\"' * 100_000, "1.2.3.4 - " + "[a] " * 60_000 + '"']
HOSTILE += [
    "<1>1 - - - - - " + '[a b="]' * 50_000,
    "<1>1 - - - - - [a" + ' b="c"' * 50_000,
    "Oct 11 22:14:15 " + "a" * 100_000,
]
HOSTILE += [
    "Oct 11 22:14:15 a " + "b[" * 100_000,
    "#Fields:" + " a" * 100_000,
    "#Fields: " + "a " * 900,
    '""" a ' * 50_000,
]
HOSTILE += [
    "{" * 100_000,
    "9" * 100_000,
    "1,2,3" * 100_000,
    '{"a":' * 50_000,
    '"a""b ' * 50_000,
    "<1>" + "1 " * 100_000,
]


@of("filters")
def test_a_hostile_line_costs_no_more_than_its_length(name: str, tmp_path: Path) -> None:
    plugin = FOUND[name](**EXAMPLES[name](tmp_path))
    assert isinstance(plugin, Filter)
    for line in HOSTILE:
        began = time.process_time()
        assert_same_both_ways(plugin, batch_of([event({"message": line}), event({"message": "a=1"})]))
        assert time.process_time() - began < 3, repr(line[:40])


@of("filters")
def test_a_filter_changes_nothing_that_it_was_given(name: str, make: Callable[[str], Any]) -> None:
    events = [event({"message": line, "list": [1]}) for line in LINES]
    batch = batch_of(events)
    before = copy.deepcopy(batch.body.records())
    plugin = make(name)
    plugin.open()
    plugin.process_batch(batch)
    plugin.close()
    assert batch.body.records() == before


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("buffers.") and "Disk" not in name])
def test_a_buffer_releases_everything_once_in_order_and_settles_it(name: str, make: Callable[[str], Any]) -> None:
    source = Source("test")
    acks = [source.register(number, number, 1) for number in range(10)]
    plugin = make(name)
    plugin.open()
    out: list[Event] = []
    batches = []
    for number, ack in enumerate(acks):
        plugin.add(batch_of([event({"n": number}, at_s=number)], ack))
        while (batch := plugin.take(end=number == len(acks) - 1)) is not None:
            batches.append(batch)
            out += batch.events()
    assert out == [event({"n": number}, at_s=number) for number in range(10)]
    for batch in batches:
        batch.ack.settle()
    assert all(ack.settled for ack in acks)
    plugin.close()


@of("outputs")
def test_an_output_can_be_probed_before_it_is_opened(name: str, make: Callable[[str], Any]) -> None:
    plugin = make(name)
    began = time.monotonic()
    assert plugin.probe() in (True, False)
    assert plugin.alive() in (True, False)
    assert time.monotonic() - began < 5


@of("outputs")
def test_an_output_can_be_told_by_name_how_long_to_try(name: str, tmp_path: Path) -> None:
    option = FOUND[name].options["retry_for"]
    assert (option.keyword, option.default) == (True, None)
    assert list(FOUND[name].options)[-1] == "retry_for"
    made = FOUND[name](**EXAMPLES[name](tmp_path), retry_for="5m")
    assert made.fresh().options_given["retry_for"] == "5m"
    assert made.check() == []


@of("outputs")
def test_an_output_that_has_formats_has_those_of_the_registry(name: str) -> None:
    option = FOUND[name].options.get("format")
    if option is not None:
        assert set(typing.get_args(option.type)) in (
            set(typing.get_args(LineFormat)),
            set(typing.get_args(FormatName)),
        )
        assert {"fields", "template", "zone"} <= set(FOUND[name].options)
