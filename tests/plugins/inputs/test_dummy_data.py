from __future__ import annotations

from typing import Any

import pytest

from swak.plugins.filters.nginx import Nginx
from swak.plugins.inputs.dummy_data import DummyData
from swak.testing import FakeClock, drive, event


def records(plugin: DummyData, position: int = 0) -> list[dict[str, Any]]:
    plugin.clock = FakeClock()
    plugin.seek({"DummyData": position})
    plugin.open()
    chunk = plugin.read()
    assert chunk is not None
    return chunk.body.records()


def test_people_are_plausible() -> None:
    for person in records(DummyData(type="people", count=200, rate=None)):
        assert list(person) == ["id", "name", "age", "job", "city", "email"]
        assert 18 <= person["age"] < 88
        first, _, host = person["email"].partition("@")
        assert first.isascii()
        assert first.split(".")[0] == person["name"].split()[0].lower()
        assert host.startswith("example.")


def test_people_are_what_comes_without_a_type() -> None:
    assert "name" in records(DummyData(count=1))[0]


def test_logs_look_like_a_programs() -> None:
    made = records(DummyData(type="log", count=500, rate=None))
    assert {one["level"] for one in made} == {"DEBUG", "INFO", "WARNING", "ERROR"}
    assert not any("{" in one["message"] for one in made)


def test_access_lines_are_what_nginx_parses() -> None:
    made = records(DummyData(type="access", count=500, rate=None))
    parsed = drive(Nginx(), [event(one) for one in made])
    assert len(parsed) == 500
    assert {"200", "404"} <= {one["status"] for one in parsed}


@pytest.mark.parametrize("kind", ["people", "log", "access"])
def test_the_same_seed_gives_the_same_records(kind: str) -> None:
    first, second = (records(DummyData(kind, count=50, rate=None, seed=1)) for _ in range(2))
    assert first == second
    assert records(DummyData(kind, count=50, rate=None, seed=2)) != first


def test_a_seed_means_the_same_in_every_version() -> None:
    (made,) = records(DummyData(count=1, seed=1))
    assert (made["name"], made["age"], made["city"]) == ("Liam Eriksson", 77, "Busan")


def test_without_a_seed_every_input_makes_up_its_own() -> None:
    assert records(DummyData(count=50, rate=None)) != records(DummyData(count=50, rate=None))


@pytest.mark.parametrize("seed", [1, None, -5, 2**100])
def test_a_successor_goes_on_with_the_same_records(seed: int | None) -> None:
    plugin = DummyData(count=50, rate=None, seed=seed)
    assert records(plugin.fresh(), position=20) == records(plugin)[20:]


def test_one_record_a_second_unless_told_otherwise() -> None:
    plugin = DummyData()
    assert len(records(plugin)) == 1
    assert plugin.read() is None
    assert plugin.due_at() == pytest.approx(plugin.clock.monotonic() + 1)


def test_values_are_well_spread() -> None:
    names = {one["name"] for one in records(DummyData(count=1_000, rate=None, seed=3))}
    assert len(names) > 400
