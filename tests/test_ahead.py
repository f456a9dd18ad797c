"""Which stages hand on JSON lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from swak import failover, in_, main, out, running, task
from swak.errors import ConfigError
from swak.recipe import as_recipe
from swak.topology.compile import compile_recipe
from swak.topology.load import load_text
from tests.faults.flow import Pass

if TYPE_CHECKING:
    from pathlib import Path


def ahead(*parts: Any) -> list[str]:
    """Return the names of the stages that hand on JSON lines."""
    flows = compile_recipe(as_recipe(task(*parts))).flows
    return [stage.name for flow in flows for stage in flow.stages if stage.as_json]


class Stays(Pass):
    """Keeps to the agent."""

    spreads = False


def tail() -> Any:
    return in_.FileTailing("app.log")


def test_the_last_filter_before_outputs_that_write_json_does() -> None:
    assert ahead(tail(), out.Nginx(), out.Json(), out.File("a")) == ["Json"]
    assert ahead(tail(), out.Nginx(), [out.File("a"), out.File("b-{tag}-%Y"), out.Tcp("h", 1)]) == ["Nginx"]
    assert ahead(tail(), out.Nginx(), out.Http("http://h/", format="json_array")) == ["Nginx"]


def test_a_filter_does_before_such_as_can_do_with_lines_and_some_fields(tmp_path: Path) -> None:
    filters = out.Drop("status == 404"), out.Grep({"request": "^GET"}), out.Reform({"host": "${hostname}"})
    flow = task(tail(), out.Nginx(), *filters, out.File("a"))
    (graph,) = compile_recipe(as_recipe(flow)).flows
    planned = [(stage.as_json, stage.columns) for stage in graph.stages[1:-1]]
    assert planned == [(True, ("request",)), (True, ("request",)), (True, ()), (True, ())]
    two = compile_recipe(as_recipe(task(tail(), out.Nginx(), filters[0], out.Drop("request == 1"), out.File("a"))))
    assert two.flows[0].stages[1].columns == ("request",), "what the next one looks at is known by its rule"
    assert ahead(tail(), out.Nginx(), filters[0], [out.File("a"), out.Null()]) == []
    assert ahead(tail(), out.Nginx(), [filters[0] | out.File("a"), out.File("b")]) == ["Nginx", "Drop"]
    assert ahead(tail(), out.Nginx(), Pass(), filters[0], out.File("a")) == ["Pass", "Drop"]
    assert ahead(tail(), out.DiskBuffer(str(tmp_path)), filters[0], out.File("a")) == ["Drop"]


def test_workers_hand_on_lines_to_outputs_only() -> None:
    def planned(*behind: Any) -> list[str]:
        flows = compile_recipe(as_recipe(task(tail(), out.Nginx(), *behind, out.File("a"), workers=2))).flows
        return [stage.name for flow in flows for stage in flow.stages if stage.as_json]

    assert planned() == ["Nginx"]
    assert planned(out.Drop("status == 404"), Stays(), out.Drop("status == 500")) == ["Stays", "Drop-2"]


def test_an_input_does_where_several_outputs_would_encode_the_same() -> None:
    assert ahead(in_.Forward(), [out.File("a"), out.File("b")]) == ["Forward"]
    assert ahead(in_.Forward(), [out.File("a"), out.Null()]) == []
    assert ahead(in_.Forward(), out.File("a")) == []


def test_what_an_input_has_encoded_arrives_everywhere(tmp_path: Path) -> None:
    paths = [tmp_path / "a", tmp_path / "b"]
    records = [{"n": 1}, {"n": {"text": "ä"}}, {"odd": object()}, {"n": 3}]
    with running(main(in_.Memory(records), [out.File(str(path)) for path in paths])) as run:
        assert run.wait(20)
    assert [path.read_text("utf-8") for path in paths] == ['{"n":1}\n{"n":{"text":"ä"}}\n{"n":3}\n'] * 2
    dead = {one.stage: sum(one.tally.dead.values()) for one in run.snapshot()}
    assert dead == {"Memory": 0, "File": 1, "File-2": 1}


def test_an_output_that_looks_inside_gets_records() -> None:
    others = (
        out.Null(),
        out.File("a", format="ltsv"),
        out.File("{host}.log"),
        out.File("a", dedupe="id"),
        out.Fluentd("h"),
        out.Tcp("h", 1, format="msgpack"),
        out.Http("http://h/", format="logstash"),
    )
    for other in others:
        assert ahead(tail(), out.Nginx(), [out.File("b"), other]) == []


def test_a_failover_gets_records() -> None:
    assert ahead(tail(), out.Nginx(), failover(out.File("a"), out.File("b"))) == []


def test_a_buffer_on_disk_is_as_those_behind_it() -> None:
    def flow(end: Any) -> Any:
        return tail(), out.Nginx(), out.DiskBuffer("spool"), end

    assert ahead(*flow(out.File("a"))) == ["Nginx"]
    assert ahead(*flow([out.File("a"), out.Null()])) == []
    assert ahead(*flow(out.DiskBuffer("more") | out.File("a"))) == ["Nginx"]
    assert ahead(tail(), out.DiskBuffer("spool"), out.Nginx(), out.File("a")) == ["Nginx"]


def test_buffers_in_memory_get_records() -> None:
    assert ahead(tail(), out.Nginx(), out.SizedBuffer(10), out.File("a")) == []


def test_an_event_that_json_cannot_carry_is_told_as_ever_and_the_others_are_written(tmp_path: Path) -> None:
    class Odd(Pass):
        """Puts what JSON has no word for into one event."""

        def process(self, event: Any) -> Any:
            if event.record["message"] == "b":
                event.record["odd"] = object()
            return event

    path = tmp_path / "out"
    with running(main(in_.Memory(["a", "b", "c"]), Odd(), out.File(str(path)))) as run:
        assert run.wait(20)
    assert path.read_text().splitlines() == ['{"message":"a"}', '{"message":"c"}']
    assert run.receipt().inputs[0].delivered == 3
    (view,) = [one for one in run.snapshot() if one.stage == "File"]
    assert sum(view.tally.dead.values()) == 1


def test_a_flow_that_ends_in_a_filter_because_a_plugin_is_unknown_is_told_as_such() -> None:
    with pytest.raises(ConfigError, match=r"out\.Nope: there is no such plugin"):
        load_text("task(in_.FileTailing('app.log'), out.Nginx(), out.Nope())")
