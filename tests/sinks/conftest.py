from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from swak.sinks.guard import Guard

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def guard() -> Iterator[Guard]:
    guard = Guard()
    yield guard
    guard.release()
