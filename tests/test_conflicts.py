"""Plugins that are right each for itself, and do not go together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from swak import ConfigError, failover, in_, out, task
from swak.recipe import as_recipe
from swak.topology.compile import compile_recipe
from swak.topology.load import load_file

if TYPE_CHECKING:
    from pathlib import Path


def problems(*parts: Any) -> list[str]:
    try:
        compile_recipe(as_recipe(task(*parts)))
    except ConfigError as error:
        return [str(problem) for problem in error.problems]
    return []


@pytest.mark.parametrize("age", ["190s", "5M"])
def test_a_buffer_that_holds_as_long_as_senders_wait_is_refused_with_a_mend(age: str) -> None:
    (told,) = problems(in_.Forward(), out.TimedBuffer(age), out.Null())
    assert "TimedBuffer: it holds events in memory for up to" in told
    assert "waits 190 s for the ack" in told
    assert "Forward(ack_timeout=...)" in told
    assert "out.DiskBuffer" in told


def test_a_buffer_that_is_quicker_passes() -> None:
    assert problems(in_.Forward(), out.TimedBuffer("189s"), out.Null()) == []
    assert problems(in_.Forward(ack_timeout="10M"), out.TimedBuffer("5M"), out.Null()) == []


def test_senders_that_want_no_acks_wait_for_nothing() -> None:
    assert problems(in_.Forward(ack_timeout=None), out.TimedBuffer("5M"), out.SizedBuffer(9), out.Null()) == []


def test_a_buffer_without_a_limit_of_time_is_refused() -> None:
    (told,) = problems(in_.Forward(), out.SizedBuffer(100), out.Null())
    assert "SizedBuffer: it holds events in memory until enough of them have come" in told


def test_buffers_one_after_the_other_add_up_and_the_one_too_many_is_named_once() -> None:
    chain = [out.TimedBuffer("100s"), out.TimedBuffer("80s"), out.TimedBuffer("20s"), out.TimedBuffer("1s")]
    (told,) = problems(in_.Forward(), *chain, out.Null())
    assert "for up to 200 s" in told


def test_buffers_side_by_side_do_not_add_up() -> None:
    branches = [out.TimedBuffer("100s") | out.Null(), out.TimedBuffer("100s") | out.Null()]
    assert problems(in_.Forward(), branches) == []


def test_every_way_is_looked_at() -> None:
    ways = {"a": out.TimedBuffer("5M") | out.Null(), "**": failover(out.Null(), out.Null())}
    assert len(problems(in_.Forward(), ways)) == 1


def test_inputs_that_nobody_waits_for_may_be_held_for_hours() -> None:
    assert problems(in_.Counter(), out.TimedBuffer("9h"), out.SizedBuffer(9), out.Null()) == []


def two(*flows: Any) -> tuple[list[str], tuple[str, ...]]:
    try:
        return [], compile_recipe(as_recipe(list(flows))).warnings
    except ConfigError as error:
        return [str(problem) for problem in error.problems], ()


@pytest.mark.parametrize(
    ("first", "second", "refused"),
    [
        (lambda: in_.Tcp(5502), lambda: in_.Http(5502), True),
        (lambda: in_.Tcp(5502), lambda: in_.Tcp(5502, host="0.0.0.0"), True),
        (in_.Forward, in_.Forward, True),
        (in_.Forward, lambda: in_.Udp(24224), True),
        (lambda: in_.Tcp(5502), lambda: in_.Udp(5502), False),
        (lambda: in_.Tcp(5502), lambda: in_.Tcp(5502, host="127.0.0.2"), False),
        (lambda: in_.Tcp(0), lambda: in_.Tcp(0), False),
    ],
)
def test_inputs_that_want_one_port_are_refused(first: Any, second: Any, refused: bool) -> None:
    told, _ = two(task(first(), out.Null(), name="a"), task(second(), out.Null(), name="b"))
    assert bool(told) is refused
    assert all("give each a port of its own" in one for one in told)


def test_outputs_that_write_one_file_in_different_ways_are_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "mix.out")
    told = problems(in_.Counter(1), [out.File(path), out.File(path, format="msgpack")])
    assert len(told) == 1
    assert "with other options" in told[0]
    assert problems(in_.Counter(1), [out.File(path), out.File(path)]) == []


def test_a_parser_that_would_miss_its_header_after_a_restart_is_told(tmp_path: Path) -> None:
    path = str(tmp_path / "u_ex.log")

    def warned(tail: Any, parser: Any) -> bool:
        return any("does not know the file's header" in one for one in two(task(tail, parser, out.Null()))[1])

    assert warned(in_.FileTailing(path), out.W3C())
    assert not warned(in_.FileTailing(path, header=["#Fields:"]), out.W3C())
    assert not warned(in_.FileTailing(path), out.W3C(fields=["a"]))
    assert not warned(in_.Tcp(1), out.W3C())


def test_a_path_that_cannot_be_read_is_told_once() -> None:
    assert len(problems(in_.Counter(1), out.File("{tag"))) == 1


def test_outputs_of_one_file_may_try_for_different_times(tmp_path: Path) -> None:
    path = str(tmp_path / "both.out")
    assert problems(in_.Counter(1), [out.File(path), out.File(path, retry_for="5m")]) == []


def test_a_buffer_that_waits_for_events_needs_a_spool_that_holds_them() -> None:
    (told,) = problems(in_.Counter(), out.DiskBuffer("a", max_size="4MiB"), out.SizedBuffer(100_000), out.Null())
    assert "when it is full, SizedBuffer behind it may wait for more events for ever" in told
    assert "max_size=16MiB or more" in told


def test_of_a_buffer_behind_a_spool_only_its_wrong_options_are_told(tmp_path: Path) -> None:
    path = tmp_path / "r.py"
    path.write_text(
        "from swak import in_, out, task\n"
        'task(in_.Counter(), out.DiskBuffer("a", max_size="4MiB"), out.SizedBuffer("many"), out.Null())\n'
    )
    with pytest.raises(ConfigError) as caught:
        compile_recipe(load_file(path))
    (told,) = caught.value.problems
    assert told.what == "SizedBuffer: option \"count\" wants int, not 'many'"


def test_a_buffer_with_a_limit_of_time_waits_for_no_spool() -> None:
    spool = out.DiskBuffer("a", max_size="4MiB")
    assert problems(in_.Counter(), spool, out.TimedBuffer("5M"), out.Null()) == []


def test_a_large_spool_goes_with_any_buffer() -> None:
    assert problems(in_.Counter(), out.DiskBuffer("a", max_size="16MiB"), out.SizedBuffer(100_000), out.Null()) == []
