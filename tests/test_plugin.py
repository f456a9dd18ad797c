from __future__ import annotations

import pickle

import pytest

from swak.clock import SYSTEM
from swak.errors import COLLECTED, ConfigError, Problem, Refused
from swak.event import EVENTS_MAX, Event
from swak.options import option
from swak.plugin import Buffer, Filter, Input, Output, Plugin, process_each
from swak.testing import FakeClock, batch_of, event, events_of


class Sample(Plugin):
    """Takes three options."""

    host: str = option("Where to.")
    port: int = option("Which port.", default=80, above=0)
    names: list[str] = option("Some names.", default=())


def problems(*values: object, **named: object) -> list[Problem]:
    with pytest.raises(ConfigError) as caught:
        Sample(*values, **named)
    return list(caught.value.problems)


def test_options_come_by_place_or_by_name() -> None:
    for made in (Sample("h", 5, ["a"]), Sample("h", names=["a"], port=5), Sample(host="h", port=5, names=("a",))):
        assert (made.host, made.port, made.names) == ("h", 5, ["a"])


def test_what_is_not_given_has_its_default() -> None:
    made = Sample("h")
    assert (made.port, made.names, made.options_given) == (80, [], {"host": "h"})


def test_all_problems_come_together_with_their_place() -> None:
    found = problems(5, prot=1, port=0)
    assert [problem.what for problem in found] == [
        'Sample: unknown option "prot"',
        'Sample: option "host" wants str, not 5',
        'Sample: option "port" wants a number above 0, not 0',
    ]
    assert found[0].mend == 'did you mean "port"?'
    assert all(problem.file == __file__ and problem.line for problem in found)


def test_a_missing_option_is_told_with_what_it_is() -> None:
    assert [str(problem).split("  ")[1] for problem in problems()] == [
        'Sample: option "host" is missing; give host= (Where to.)'
    ]


def test_an_option_given_twice_is_a_problem() -> None:
    assert problems("h", host="g")[0].what == 'Sample: option "host" is given twice'


def test_too_many_options_are_a_problem() -> None:
    assert problems("h", 1, [], "x")[0].what == "Sample: takes at most 3 options by position, 4 were given"


def test_while_a_recipe_is_loaded_problems_are_collected() -> None:
    collected: list[Problem] = []
    token = COLLECTED.set(collected)
    try:
        made = Sample()
        Sample(prot=1)
    finally:
        COLLECTED.reset(token)
    assert len(collected) == 3
    assert not made.valid


def test_a_fresh_plugin_has_the_same_options_and_place() -> None:
    made = Sample("h", names=["a"])
    again = made.fresh()
    assert again is not made
    assert (again.host, again.names, again.options_given, again.place) == ("h", ["a"], made.options_given, made.place)


def test_a_plugin_can_be_pickled() -> None:
    assert pickle.loads(pickle.dumps(Sample("h"))).host == "h"


def test_time_comes_from_the_clock_that_was_given() -> None:
    made = Sample("h")
    assert made.clock is SYSTEM
    clock = made.clock = FakeClock(5)
    assert made.clock.time_ns() == 5 * 10**9
    assert Sample("h").clock is not clock


def test_what_a_plugin_need_not_do_does_nothing() -> None:
    made = Sample("h")
    made.open()
    made.abort()
    made.close()
    assert (made.check(), made.due_at(), made.name) == ([], None, "Sample")
    output = Output()
    output.sync()
    assert (output.probe(), output.alive(), output.inherit(Output())) == (False, True, False)
    reader = Input()
    reader.seek({})
    reader.interrupt()
    assert (reader.gone(), reader.identity) == ([], "Input")


def test_the_verb_must_be_written() -> None:
    batch = batch_of([event({})])
    for call in (
        Input().read,
        lambda: Filter().process(event({})),
        lambda: Buffer().add(batch),
        lambda: Buffer().take(end=False),
        lambda: Output().write(batch),
    ):
        with pytest.raises(NotImplementedError):
            call()


class Acts(Filter):
    """Does with an event what its record says."""

    def process(self, event: Event) -> Event | list[Event] | None:
        act = event.record["act"]
        if act == "refuse":
            raise Refused([event], "not that one")
        if act == "fail":
            raise KeyError("act")
        if act == "exit":
            raise SystemExit(3)
        if act == "memory":
            raise MemoryError
        return {"keep": event, "drop": None, "none": [], "two": [event, event.replace(tag="second")]}[act]


def acts(*names: str) -> list[Event]:
    return [event({"act": name}, at_s=at_s) for at_s, name in enumerate(names)]


def test_the_outcome_accounts_for_every_event() -> None:
    names = ["keep", "drop", "two", "none", "refuse", "fail", "keep", "exit"]
    outcome = process_each(Acts(), batch_of(acts(*names)))
    out = events_of(outcome)
    assert [one.record["act"] for one in out] == ["keep", "two", "two", "keep"]
    assert (outcome.filtered, outcome.made) == (2, 1)
    assert [(one.event.record["act"], one.reason) for one in outcome.dead] == [
        ("refuse", "not that one"),
        ("fail", "KeyError: 'act'"),
        ("exit", "SystemExit: 3"),
    ]
    assert len(names) + outcome.made == len(out) + outcome.filtered + len(outcome.dead)


def test_a_failure_keeps_its_traceback_and_a_refusal_has_none() -> None:
    dead = process_each(Acts(), batch_of(acts("refuse", "fail"))).dead
    assert dead[0].trace == ""
    assert "raise KeyError" in dead[1].trace


def test_too_little_memory_is_nobodys_fault() -> None:
    with pytest.raises(MemoryError):
        process_each(Acts(), batch_of(acts("memory")))


def test_tags_follow_their_events() -> None:
    assert [one.tag for one in events_of(process_each(Acts(), batch_of(acts("keep", "two"))))] == [
        "test",
        "test",
        "second",
    ]


def test_many_events_leave_in_parts() -> None:
    outcome = process_each(Acts(), batch_of(acts(*["two"] * 600)))
    assert [body.count for body, _ in outcome.parts] == [EVENTS_MAX, 200]


def test_a_batch_that_is_dropped_whole_has_no_part() -> None:
    assert process_each(Acts(), batch_of(acts("drop", "drop"))).parts == []
