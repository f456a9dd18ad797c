from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from swak import failover, in_, out, task
from swak.errors import ConfigError
from swak.plugin import Input, Output
from swak.recipe import Recipe
from swak.topology.compile import compile_recipe

if TYPE_CHECKING:
    from pathlib import Path

    from swak.recipe import Flow
    from swak.topology.graph import Topology


def compiled(*flows: Flow) -> Topology:
    return compile_recipe(Recipe(flows))


def shape(topology: Topology) -> dict[str, list[tuple[str, tuple[str, ...]]]]:
    return {flow.name: [(stage.name, stage.downstream()) for stage in flow.stages] for flow in topology.flows}


def test_what_is_behind_a_buffer_on_disk_is_a_flow_of_its_own(tmp_path: Path) -> None:
    topology = compiled(task(in_.Memory([]), out.DiskBuffer(str(tmp_path)), out.Json(), out.Null(), name="app"))
    assert shape(topology) == {
        "app": [("Memory", ("DiskBuffer",)), ("DiskBuffer", ())],
        "app.DiskBuffer": [("DiskBuffer.out", ("Json",)), ("Json", ("Null",)), ("Null", ())],
    }
    writer, reader = topology.flows[0].stages[1].plugin, topology.flows[1].stages[0].plugin
    assert isinstance(writer, Output)
    assert isinstance(reader, Input)


def test_each_branch_may_have_its_own(tmp_path: Path) -> None:
    branches = [out.DiskBuffer(str(tmp_path / name)) | out.Null() for name in ("a", "b")]
    assert shape(compiled(task(in_.Memory([]), [*branches, out.Stdout()], name="app"))) == {
        "app": [
            ("Memory", ("DiskBuffer", "DiskBuffer-2", "Stdout")),
            ("DiskBuffer", ()),
            ("DiskBuffer-2", ()),
            ("Stdout", ()),
        ],
        "app.DiskBuffer": [("DiskBuffer.out", ("Null",)), ("Null", ())],
        "app.DiskBuffer-2": [("DiskBuffer-2.out", ("Null-2",)), ("Null-2", ())],
    }


def test_one_may_stand_behind_another(tmp_path: Path) -> None:
    first, second = out.DiskBuffer(str(tmp_path / "a")), out.DiskBuffer(str(tmp_path / "b"))
    names = list(shape(compiled(task(in_.Memory([]), first, out.Json(), second, out.Null(), name="app"))))
    assert names == ["app", "app.DiskBuffer", "app.DiskBuffer-2"]


def test_a_failover_stays_whole_behind_it(tmp_path: Path) -> None:
    ring = failover(out.Null(), out.Null(), last=out.Null())
    flows = shape(compiled(task(in_.Memory([]), out.DiskBuffer(str(tmp_path)), ring, name="app")))
    assert [name for name, _ in flows["app.DiskBuffer"]] == ["DiskBuffer.out", "Failover", "Null", "Null-2", "Null-3"]


def test_branches_that_join_behind_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="one way to it leads through a buffer on disk"):
        compiled(task(in_.Memory([]), [out.DiskBuffer(str(tmp_path)), out.Json()], out.Null()))
