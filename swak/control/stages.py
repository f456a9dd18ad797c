"""Finding the stage that a client names, as the view shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swak.control.protocol import RequestError
from swak.options import suggest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from swak.actors.post import Post


def find(posts: Sequence[Post], name: str) -> Post:
    """Return the stage of that name: "Nginx", or "web/Nginx" where several flows have it. RequestError: none is."""
    found = [post for post in posts if name in {post.name, post.stage.name}]
    if not found:  # names that differ in case only are meant
        found = [post for post in posts if name.lower() in {post.name.lower(), post.stage.name.lower()}]
    if len(found) == 1:
        return found[0]
    if found:
        raise RequestError("ambiguous", f'"{name}" is in several flows: {", ".join(post.name for post in found)}')
    flows = {post.flow.name for post in posts}
    known = [post.name if len(flows) > 1 else post.stage.name for post in posts]
    near = suggest(name, [*known, *(post.stage.name for post in posts)])
    raise RequestError("unknown-stage", f'there is no stage "{name:.60}"; {near}')
