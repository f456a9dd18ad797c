from __future__ import annotations

import pytest

from swak import in_, out, running, task
from swak.control.protocol import RequestError
from swak.control.stages import find


def test_a_stage_is_found_as_the_view_names_it() -> None:
    web = task(in_.Memory(follow=True), out.Json(), out.Null(), name="web")
    app = task(in_.Memory(follow=True), out.Null(), name="app")
    with running([web, app]) as run:
        posts = run.crew.posts
        assert find(posts, "Json").name == find(posts, "web/Json").name == find(posts, "json").name == "web/Json"
        assert find(posts, "app/Null").name == "app/Null"
        with pytest.raises(RequestError, match='"Null" is in several flows: web/Null, app/Null'):
            find(posts, "Null")
        with pytest.raises(RequestError, match='there is no stage "Jsno"; did you mean'):
            find(posts, "Jsno")
        run.stop()
