"""What ends a benchmark before its table."""

from __future__ import annotations

from swak.errors import SwakError


class BenchError(SwakError):
    """A child failed, or did not get on."""


class Wrong(BenchError):  # noqa: N818 - a verdict, as it is told
    """An output is not what its input says."""
