"""Agents as processes: whatever happens, they are killed at the end of a test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

from tests.flows.agent import Agent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Start(Protocol):
    """Starts `swak up` with these arguments; `said`: what is in its environment besides."""

    def __call__(self, *arguments: str, given: str | None = None, said: dict[str, str] | None = None) -> Agent: ...


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Agent] = []

    def start_one(*arguments: str, given: str | None = None, said: dict[str, str] | None = None) -> Agent:
        started.append(Agent(tmp_path, *arguments, given=given, said=said))
        return started[-1]

    yield start_one
    for agent in started:
        agent.kill()
    for agent in started:
        assert agent.unaccounted() == [], "whatever a test does to it, an agent accounts for every event and byte"
