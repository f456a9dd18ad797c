from __future__ import annotations

from swak.plugins.outputs.null import Null
from swak.testing import block_of


def test_everything_is_counted_and_nothing_kept() -> None:
    plugin = Null()
    plugin.open()
    for _ in range(3):
        plugin.write(block_of("a", "bc"))
    plugin.close()
    assert (plugin.events, plugin.batches, plugin.size_bytes) == (6, 3, 15)
