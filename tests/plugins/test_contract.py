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
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from swak.ack import Source
from swak.errors import ConfigError, EndOfInput
from swak.event import Chunk, Event
from swak.plugin import Buffer, Filter, Input, Output, Plugin
from swak.testing import assert_same_both_ways, batch_of, block_of, event

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EXAMPLES: dict[str, Callable[[Path], dict[str, Any]]] = {
    "inputs.Counter": lambda _: {"count": 3, "rate": "100/s"},
    "inputs.DummyData": lambda _: {"count": 3, "rate": None, "seed": 1},
    "inputs.FileTailing": lambda folder: {"path": str(folder / "*.log"), "follow": False},
    "inputs.Memory": lambda _: {"events": ["a line", {"n": 1}]},
    "inputs.Stdin": lambda _: {"max_line": "64k"},
    "filters.Json": lambda _: {"time_field": "ts"},
    "filters.Nginx": lambda _: {"format": "common"},
    "filters.Regex": lambda _: {"pattern": r"(?P<word>\w+)=(?P<value>\d+)"},
    "buffers.SizedBuffer": lambda _: {"count": 3},
    "buffers.TimedBuffer": lambda _: {"age": "1h"},
    "outputs.File": lambda folder: {"path": str(folder / "out.log")},
    "outputs.Fluentd": lambda _: {"host": "127.0.0.1", "port": 1},
    "outputs.Memory": lambda _: {},
    "outputs.Null": lambda _: {},
    "outputs.Stdout": lambda _: {"format": "json"},
}
"""Options that make a working plugin, given an empty folder."""

NEEDS_FAR_END = {"outputs.Fluentd"}
"""Plugins that cannot be opened here: nobody answers. `open` may raise OSError, and `close` must still do."""

BASES: dict[str, type[Plugin]] = {"inputs": Input, "filters": Filter, "buffers": Buffer, "outputs": Output}
LINES = ["", "a=1", "?", '{"a": 1, "ts": 5}', "{", '{"ts": "never"}', "한=2", "x y=3 z=4", '"']
LINES += ['1.2.3.4 - - [21/Nov/2026:01:07:27 +0000] "GET / HTTP/1.1" 200 5', "[]"]


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


@of("filters")
def test_a_filter_does_the_same_with_a_batch_as_with_each_event(name: str, make: Callable[[str], Any]) -> None:
    for batch in (
        block_of(*LINES, at_s=7),
        block_of(LINES[1]),
        block_of(*[line.encode() for line in LINES], b"\xff=1", b"\xff"),
        block_of(*LINES, encoding="cp949"),
        block_of(*LINES * 300),
        batch_of([event({"message": line}, tag=f"t{at}", at_s=at) for at, line in enumerate(LINES)]),
        batch_of([event({}), event({"message": 5}), event({"message": None}), event({"message": b"a=1"})]),
    ):
        assert_same_both_ways(make(name), batch)


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


@of("buffers")
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
