"""A reload under way: from the stages that run to those that are wanted, in steps that may be repeated or cut off."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from swak.actors.lease import Lease
from swak.actors.messages import Fate, Rebuild, Sign
from swak.actors.post import Outlet, Plan
from swak.deadletters import DeadLetter
from swak.log import get
from swak.plugin import Input
from swak.stats import Tally
from swak.topology.graph import Topology

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from collections.abc import Set as AbstractSet

    from swak.actors.crew import Flow
    from swak.actors.post import Post
    from swak.actors.supervisor import Supervisor
    from swak.reloading.difference import Difference
    from swak.topology.graph import FlowGraph

log = get("swak.supervisor")

OPEN_S = 5.0
"""How long a new stage may take to open before the others go on without waiting for it: its far end may be slow."""
APPLY_S = 5.0
"""How long a stage may be busy before it is replaced to get what it is to have, and then how long that may take."""
DEATHS_MAX = 3
"""After so many deaths a removed stage works nothing off any more: what it has goes to the dead letters."""
RETRY_S = 1.0
REMOVED = "the stage was removed by a reload"

Key = tuple[str, str]
"""Flow and stage."""


class Verdict(NamedTuple):
    """What became of a reload."""

    trouble: str
    """Why the stages are what they were before; empty when they are what was wanted."""
    leaving: tuple[str, ...] = ()
    """Stages that were removed and still work off what they have."""


class Wanted(NamedTuple):
    """What stages are to become, and who hears of it."""

    wanted: Difference
    leave_s: float
    """How long removed stages may work off what they have."""
    told: Callable[[Verdict], None]
    """Called when the stages are what they are to be, or again what they were. It must be quick."""
    over: Callable[[], None]
    """Called when removed stages have left, too, and another topology may come. It must be quick."""

    def letter(self) -> Rebuild:
        """Return what the supervisor is to be sent."""
        return Rebuild(lambda root: Changing(root, self, root.now()), self.refuse)

    def refuse(self, why: str) -> None:
        """Tell that it cannot be."""
        self.told(Verdict(why))
        self.over()


class Changing:
    """Runs on the supervisor's thread: `step` at each of its rounds, until `over`.

    First the new stages are manned, but for inputs: nobody sends to them yet. Then every stage that stays takes on its
    plan. Until all have, the death of any of them takes everything back. Then what was removed works off what it has,
    for so long; new inputs begin when nobody is left in their way.
    """

    def __init__(self, root: Supervisor, wanted: Wanted, now: float) -> None:
        self._root, self._crew, self._wanted = root, root.crew, wanted
        self._before = Topology(tuple(flow.graph for flow in self._crew.flows if flow.graph.stages))
        self._trial: set[Post] = set()
        self._unmanned: list[Post] = []
        self._inputs: list[Post] = []
        self._unleft: list[Post] = []
        self._broken: set[Post] = set()
        self._deaths: Counter[Post] = Counter()
        self._told = False
        self._forced = False
        self._trouble = ""
        self._retry_at = 0.0
        self._until = now + OPEN_S
        self._phase = self._opening
        self.over = False
        self.expired = False
        """Whether the time of removed stages is up."""
        try:
            flows = wanted.wanted.topology.flows
            plugins = [stage.plugin for flow in flows for stage in flow.stages if stage.plugin is not None]
            self._crew.budget.resize(len(flows), [plugin.keeps_bytes for plugin in plugins])
            self._aim(wanted.wanted.topology, wanted.wanted.changed)
        except Exception as error:  # noqa: BLE001 - whatever it is, what runs goes on as it did
            self._take_back(f"{type(error).__name__}: {error}", now)
        self._man(self._unmanned)

    def step(self, now: float) -> None:
        """Do what can be done now."""
        self._phase(now)
        self._crew.need_main()

    def note_death(self, post: Post, why: str) -> None:
        """Take everything back if one has died that is on trial."""
        if post.leaving:
            self._deaths[post] += 1
            if self._deaths[post] >= DEATHS_MAX:  # it would take the whole flow with it if it went on like that
                self._broken.add(post)
        if post in self._trial and self._root.drain_until is None:
            self._take_back(f"{post.name}: {why}", self._root.now())

    # What is to become of whom

    def _aim(self, topology: Topology, fresh: AbstractSet[Key]) -> None:
        wanted = {graph.name: graph for graph in topology.flows}
        for graph in topology.flows:
            if all(flow.name != graph.name for flow in self._crew.flows):
                self._crew.add_flow(replace(graph, stages=()))
        for flow in self._crew.flows:
            self._aim_at(flow, wanted.get(flow.name) or replace(flow.graph, stages=()), fresh)
        self._crew.posts = [post for flow in self._crew.flows for post in flow.posts]

    def _aim_at(self, flow: Flow, graph: FlowGraph, fresh: AbstractSet[Key]) -> None:
        posts = {post.stage.name: post for post in flow.posts}
        for stage in graph.stages:
            if stage.name not in posts:
                posts[stage.name] = self._crew.add_post(flow, graph, stage)
        live: set[str] = set()
        for stage in graph.stages:
            post, key = posts[stage.name], (flow.name, stage.name)
            new = post.seat is None or (post.leaving and post.lease.over)
            if post.leaving and not new:
                self._unleft.append(post)
            post.leaving = post.mailbox.leaving = post.draining = False
            self._plan(post, graph, posts, stage.name, key in fresh)
            if stage.kind == "input":
                alive = new or key in fresh or not post.lease.over
            else:
                alive = any(up.name in live for up in graph.stages if stage.name in up.downstream())
            live |= {stage.name} if alive else set()
            if new or (alive and post.lease.over):
                (self._inputs if stage.kind == "input" else self._unmanned).append(post)
            elif post.lease.over:
                self._finish(post)
            if key in fresh or (new and stage.kind != "input"):
                self._trial.add(post)
        for name, post in posts.items():
            if name not in {stage.name for stage in graph.stages}:
                post.leaving = post.mailbox.leaving = True
                if post.seat is None and post.planned is not None:
                    post.outlets = post.planned.outlets
                post.planned = None
        flow.posts = list(_ordered([post.stage.name for post in flow.posts], graph, posts))
        flow.graph, flow.share.retired = graph, not graph.stages

    def _plan(self, post: Post, graph: FlowGraph, posts: dict[str, Post], name: str, fresh: bool) -> None:
        stage = graph.stage(name)
        outlets = {behind: Outlet(posts[behind].mailbox, name) for behind in stage.downstream()}
        for behind, outlet in outlets.items():
            later = (graph.name, behind) in self._wanted.wanted.gates and behind not in post.outlets
            outlet.mailbox.expect(name, post.mailbox, later=later and not self._trouble)
        earlier = {**post.outlets, **(post.planned.outlets if post.planned is not None else {})}
        parted = tuple(outlet for behind, outlet in earlier.items() if behind not in outlets)
        same = replace(stage, place=post.stage.place) == post.stage and outlets.keys() == post.outlets.keys()
        if fresh or not same or post.planned is not None:
            post.planned = Plan(stage, graph, outlets, parted, fresh)
        else:
            post.stage, post.flow = stage, graph

    def _finish(self, post: Post) -> None:
        """An ended stage that nothing comes to stays so: who is new behind it has nothing to wait for."""
        if post.planned is not None:
            post.apply(post.planned, post.mailbox.tally.out)
            post.planned = None
        for outlet in post.outlets.values():
            outlet.mailbox.end(Lease(None), outlet.edge)

    def _man(self, posts: list[Post]) -> None:
        while posts:
            self._crew.seat(posts[-1])
            posts.pop()

    def _take_back(self, why: str, now: float) -> None:
        if self._trouble or self._told:
            return
        self._trouble = why
        log.error("the reload fails; the stages become what they were", why=why)
        begun = self._phase == self._applying
        changed = self._wanted.wanted.changed
        fresh = {key for post in self._trial if (key := _key(post)) in changed and (begun or post.planned is None)}
        self._trial.clear()
        self._unmanned, self._inputs = [], []
        self._aim(self._before, fresh)
        flows = self._before.flows
        plugins = [stage.plugin for flow in flows for stage in flow.stages if stage.plugin is not None]
        self._crew.budget.resize(len(flows), [plugin.keeps_bytes for plugin in plugins])
        self._begin(now)

    # One phase after the other

    def _opening(self, now: float) -> None:
        self._man(self._unmanned)
        if now >= self._until or all(post.state != "opening" for post in self._trial):
            self._begin(now)

    def _begin(self, now: float) -> None:
        self._until, self._forced, self._phase = now + APPLY_S, False, self._applying
        self._man(self._unmanned)
        for flow in self._crew.flows:
            if flow.failed and any(post.planned is not None for post in flow.posts):
                self._broken |= {post for post in flow.posts if post.leaving}
                self._root.resume(flow)
        for post in self._crew.posts:
            if post.planned is not None:
                post.mailbox.tell(Sign.CHANGE)

    def _applying(self, now: float) -> None:
        for post in self._unleft:
            if post.lease.over:  # it saw that nothing comes any more before it was told to stay
                for outlet in post.outlets.values():
                    outlet.mailbox.expect(outlet.edge, post.mailbox, later=False)
                self._crew.seat(post)
        busy = [post for post in self._crew.posts if post.planned is not None and post not in self._inputs]
        away = [post for post in self._trial if post.state in {"opening", "waiting"}]
        if now >= self._until and not self._forced:
            self._until, self._forced = now + APPLY_S, True
            for post in busy:
                self._root.replace(post, "it is busy, and a reload has other plans for it", asked=True)
        elif now >= self._until or not (busy or away):
            self._let_leave(now)

    def _let_leave(self, now: float) -> None:
        self._until, self._phase = now + self._wanted.leave_s, self._leaving
        self._trial.clear()
        left = [post for post in self._crew.posts if post.leaving and not post.lease.over]
        for post in left:
            post.pause(on=False)
            if post.seat is None:
                self._bury(post)
            elif post.sources is not None:
                post.draining = True
                post.mailbox.tell(Sign.STOP)
                self._crew.interrupt(post)
        self._told = True
        self._wanted.told(Verdict(self._trouble, tuple(post.name for post in left)))
        self._leaving(now)

    def _leaving(self, now: float) -> None:
        left = [post for post in self._crew.posts if post.leaving and not post.lease.over]
        keys = {_key(post) for post in left}
        for post in self._crew.posts:
            if post.mailbox.later and not self._wanted.wanted.gates.get(_key(post), frozenset()) & keys:
                post.mailbox.let_in()
        waiting = [post for post in self._inputs if any(_in_the_way(one, post) for one in left)]
        ready = [post for post in self._inputs if post not in waiting]
        self._inputs = waiting
        self._man(ready)
        self.expired = now >= self._until
        for post in left:
            if self.gives_up(post) and (self.expired or post.lease.revoked) and now >= self._retry_at:
                self._expel(post, now)
        if not (left or waiting):
            self.over = True
            self._wanted.over()

    def let_go(self) -> None:
        """The run is to end: nobody waits for anybody any more."""
        for post in self._crew.posts:
            post.mailbox.let_in()
        self._man(self._inputs)
        self._man(self._unmanned)

    # Those whose time is up

    def gives_up(self, post: Post) -> bool:
        """Whether nobody sits down in that place any more."""
        return post.leaving and (self.expired or bool(self._trouble) or post in self._broken)

    def _expel(self, post: Post, now: float) -> None:
        """Take a removed stage's seat away; when its plugin is closed, what it has goes to the dead letters."""
        if post.seat is not None and not post.lease.revoked:
            log.warning("a removed stage has not worked off what it has in time", stage=post.name)
            self._root.clear(post)
        elif not self._root.aborting(post):
            try:
                self._bury(post)
            except OSError as error:
                post.note_error(error)
                log.error("dead letters cannot be written; a removed stage waits", stage=post.name, error=str(error))
                self._retry_at = now + RETRY_S

    def _bury(self, post: Post) -> None:
        """Write what is left to the dead letters, then settle it; the stage is over. OSError: some is still there."""
        box, lease = post.mailbox, Lease(None)
        box.reseat()
        while (letter := box.head()) is not None:
            counts, batch = Tally(), letter.batch
            lent = letter.offer is not None and letter.offer.fate is not Fate.KEPT  # then its router has it
            if not lent:
                events = [] if batch.ack.settled else batch.events()
                place = post.flow.name, post.stage.name
                dead = [DeadLetter(event, batch.ack.origin, *place, REMOVED, "") for event in events]
                self._crew.site.dead_letters.append(dead)
                batch.ack.settle()
                counts.into, counts.out, counts.dead[REMOVED] = batch.count, batch.count - len(dead), len(dead)
            box.done(lease, None if lent else counts)
        if post.sources is not None and post.seat is not None:
            plugin = post.stage.plugin
            rewinds = isinstance(plugin, Input) and type(plugin).seek is not Input.seek
            post.sources.resume_after(post.accepted(), rewinds=rewinds)
        for outlet in post.outlets.values():
            outlet.mailbox.end(lease, outlet.edge)
        post.state, lease.over, post.lease = "over", True, lease


def _key(post: Post) -> Key:
    return post.flow.name, post.stage.name


def _in_the_way(leaving: Post, new: Post) -> bool:
    """Tell whether a removed stage has to be gone before a new input begins: events, or a port, pass over to that."""
    of_flow = leaving.flow.name.partition(".")[0] == new.flow.name.partition(".")[0]
    return of_flow or (leaving.sources is not None and bool(_ports(leaving) & _ports(new)))


def _ports(post: Post) -> set[tuple[str, int]]:
    plugin = post.stage.plugin
    told = post.attempt("say where it listens", plugin.listens_on) if isinstance(plugin, Input) else None
    return {(protocol, port) for protocol, _, port in told or ()}


def _ordered(before: list[str], graph: FlowGraph, posts: dict[str, Post]) -> Iterator[Post]:
    """Yield all posts, upstream first, removed ones in the place that they had."""
    left = [name for name in before if name in posts]
    after = [stage.name for stage in graph.stages]
    yielded: set[str] = set()
    for name in after:
        for old in left[: left.index(name)] if name in left else ():
            if old not in after and old not in yielded:
                yielded.add(old)
                yield posts[old]
        yield posts[name]
    yield from (posts[old] for old in left if old not in after and old not in yielded)
