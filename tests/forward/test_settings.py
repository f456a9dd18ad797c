from __future__ import annotations

from swak.forward.settings import Settings


def test_without_more_nobody_is_kept_out_and_nothing_remembered() -> None:
    settings = Settings("127.0.0.1", 24224)
    assert (settings.lock, settings.tls, settings.dedupe) == (None, None, 0)
    assert settings.held_bytes_max > settings.frame_bytes_max
