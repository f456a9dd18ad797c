"""Steps the seats of one flow by hand, on the test's own thread and clock: what `main`'s loop does, turn by turn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from swak.actors.crew import Crew
from swak.actors.messages import Down, Turned, Up
from swak.actors.post import Site
from swak.actors.running import Settings
from swak.datadir import DataDir
from swak.recipe import as_recipe
from swak.testing import FakeClock
from swak.topology.compile import compile_recipe

if TYPE_CHECKING:
    from types import TracebackType

    from swak.actors.post import Post
    from swak.recipe import Flow


class Stepping:
    """`main` flows without a supervisor and without threads. What seats tell the root is kept in `told`."""

    def __init__(self, *flows: Flow, memory_limit: int | None = None) -> None:
        assert all(flow.kind == "main" for flow in flows), "a task's seats have threads"
        self.clock = FakeClock()
        self.told: list[Any] = []
        self._data_dir = DataDir.resolve(None, ephemeral=True)
        settings = Settings(self._data_dir, clock=self.clock, memory_limit=memory_limit)
        site = Site(self.clock, self._data_dir.dead_letters(), self.told.append, False)
        self.crew = Crew(compile_recipe(as_recipe(flows)), settings, site)

    def __enter__(self) -> Self:
        self.crew.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for post in self.crew.posts:
            post.mailbox.close()
            if post.seat is not None:
                if not post.lease.over:
                    post.seat.step()
                post.seat.retire()
            if post.sources is not None:
                post.sources.close()
        self._data_dir.close()

    def post(self, stage: str) -> Post:
        """Return the post of a stage."""
        return next(post for post in self.crew.posts if post.stage.name == stage)

    def turn(self, stage: str) -> bool:
        """Take one turn at a stage. Return whether there was something to do."""
        seat = self.post(stage).seat
        assert seat is not None
        return not seat.lease.over and seat.step()

    def settle_down(self) -> None:
        """Step everybody until nobody has anything to do at this time of the clock."""
        for _ in range(10_000):
            moved = [self.turn(post.stage.name) for post in reversed(self.crew.posts)]
            if not any(moved):
                return
        raise AssertionError("the flow never comes to rest")


class Relaying(Stepping):
    """Also passes on what children tell the root, as the supervisor does."""

    def relay(self) -> None:
        """Tell the router which children went down or came up."""
        told, self.told[:] = list(self.told), []
        for one in told:
            if isinstance(one, Turned):
                word = Up(one.post.stage.name) if one.up else Down(one.post.stage.name)
                one.post.mailbox.upstream[one.post.stage.router or ""].tell(word)

    @property
    def router(self) -> str:
        """Name of the failover."""
        return next(post.stage.name for post in self.crew.posts if post.stage.kind == "failover")

    def run(self, seconds: float) -> None:
        """Step everybody and pass words on, for a time."""
        for _ in range(int(seconds * 4) + 1):
            for _ in range(5):
                self.settle_down()
                self.relay()
            self.clock.advance(0.25)
