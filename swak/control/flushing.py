"""Letting buffers go and outputs sync now, and waiting until what was read by then is settled."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from swak.actors.post import Post

FLUSH_S = 10.0
"""How long it may take by default."""


def flushing(
    posts: Sequence[Post], wait_s: float, is_ending: Callable[[], bool]
) -> Generator[None, None, dict[str, Any]]:
    """Flush step by step: yields until everything is settled, the time is over, or nobody waits any more."""
    began_s = time.monotonic()
    try:
        while (left := unsettled_since(posts, began_s)) and time.monotonic() < began_s + wait_s:
            if is_ending():
                break
            for post in posts:
                hurry(post)
            yield None
    finally:
        for post in posts:
            post.share.flushing = False
    held = {post.name: post.mailbox.tally.held for post in posts if post.mailbox.tally.held}
    return {"flushed": not left, "waiting_flows": left, "held": held}


def unsettled_since(posts: Sequence[Post], began_s: float) -> list[str]:
    """Name flows that have events which were read before that moment and are not settled."""
    found = {}
    for post in posts:
        for sources in (post.sources, post.injected):
            oldest = sources.oldest() if sources is not None else None
            if oldest is not None and oldest <= began_s:
                found[post.flow.name] = True
    return list(found)


def hurry(post: Post) -> None:
    """Have what the stage holds let go. Said again and again: another request may have ended it."""
    post.share.flushing = True
    if post.mailbox.has_held:
        post.mailbox.wake()
