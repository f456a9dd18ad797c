"""A Python prompt inside the agent: sessions of those who attach, and the code that they send."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from swak.control.protocol import Request, RequestError
from swak.control.shots import Shot, named, stages_of
from swak.control.snippets import Snippet
from swak.log import Log

if TYPE_CHECKING:
    from swak.actors.post import Post
    from swak.actors.running import Run
    from swak.control.server import Client, Told, Verb, Work

FOR_S, LIMIT_S = 600.0, 5.0
"""How long a session and one piece of code may take, unless they are told otherwise."""
FOR_MAX_S, LIMIT_MAX_S = 86_400.0, 600.0
PATIENCE_S = 0.5
"""How long code whose time is over may take to end by itself, before it is given up."""
GIVEN_UP_MAX = 3
"""Threads cannot be killed. While so many run code that was given up, no more code is taken."""
CODE_CHARS = 64 * 1024
TOLD_CHARS = 200
"""How much of the code is in the log."""

_log = Log("swak.control.attach")


class Session:
    """One prompt of one client."""

    def __init__(self, client: Client, writes: bool, for_s: float, limit_s: float) -> None:
        self.client = client
        self.who = client.right.who
        self.writes = writes
        self.for_s = for_s
        self.limit_s = limit_s
        self.until_s = time.monotonic() + for_s
        self.names: dict[str, Any] = {}
        self.snippet: Snippet | None = None
        self.snippets = 0
        self.interrupted = False


class Plugins(Mapping[str, Any]):
    """The open plugins by stage: each time the one that works now."""

    def __init__(self, posts: Mapping[str, Post]) -> None:
        self._posts = posts

    def __getitem__(self, name: str) -> Any:
        return self._posts[name].lease.plugin

    def __iter__(self) -> Iterator[str]:
        return iter(self._posts)

    def __len__(self) -> int:
        return len(self._posts)

    def __repr__(self) -> str:
        return repr(dict(self))


class Attaching:
    """Verbs by which code is run in this process. They are called by the control thread; the code is not."""

    def __init__(self, run: Run, looks: Mapping[str, Verb]) -> None:
        """`looks`: the verbs "status" and "stacks" of the agent."""
        self._run = run
        self._looks = looks
        self._sessions: dict[Client, Session] = {}
        self._given_up: list[Snippet] = []

    def verbs(self) -> dict[str, Verb]:
        """Return the verbs by name."""
        return {"attach": self.attach, "evaluate": self.evaluate, "interrupt": self.interrupt}

    def attach(self, request: Request, client: Client) -> Work:
        """Begin a session. It lasts until its time is over, or its connection."""
        writes = request.flag("write")
        for_s = request.number("for_s", FOR_S, 0, FOR_MAX_S)
        limit_s = request.number("limit_s", LIMIT_S, 0, LIMIT_MAX_S)
        request.all_taken("write", "for_s", "limit_s")
        if writes and not client.right.writes:
            mend = "the agent's --control-config allows it with attach_write = true, for the role operate"
            raise RequestError("forbidden", f"--write is not allowed over TCP; {mend}")
        return self._lasting(Session(client, writes, for_s, limit_s))

    def _lasting(self, session: Session) -> Work:
        client = session.client
        if client in self._sessions:
            raise RequestError("bad-request", "this connection has attached already")
        self._sessions[client] = session
        tell = _log.warning if session.writes else _log.info
        tell("an operator attaches", who=session.who, write=session.writes, for_s=session.for_s)
        why = "hung up"
        try:
            yield {"attached": self._run.topology.flows[0].name, "write": session.writes, "limit_s": session.limit_s}
            while time.monotonic() < session.until_s and not client.ending:
                yield None
            why = "the run is ending" if client.ending else "its time is over"
        finally:
            self._sessions.pop(client, None)
            if session.snippet is not None:
                session.snippet.stop()
            _log.info("an operator has left", who=session.who, snippets=session.snippets, why=why)
        return {"over": why}

    def interrupt(self, request: Request, client: Client) -> Told:
        """End what runs now in this connection's session."""
        request.all_taken()
        session = self._sessions.get(client)
        if session is not None and session.snippet is not None:
            session.interrupted = True
            session.snippet.stop()
        return {}

    def evaluate(self, request: Request, client: Client) -> Work:
        """Run a piece of code and tell what it prints."""
        code = request.text("code")
        request.all_taken("code")
        if len(code) > CODE_CHARS:
            raise RequestError("too-long", f"a piece of code has at most {CODE_CHARS} characters")
        return self._evaluating(client, code)

    def _session(self, client: Client) -> Session:
        """Return the session of a client who may run code now. RequestError says why it may not."""
        session = self._sessions.get(client)
        if session is None:
            raise RequestError("over", "the session is over: its time, or the run; attach again")
        if session.snippet is not None:
            raise RequestError("busy", "the code before this one still runs")
        given_up = self._still_given_up()
        if given_up >= GIVEN_UP_MAX:
            mend = "wait until that ends, or restart the agent"
            raise RequestError("busy", f"{given_up} pieces of code that were given up still run; {mend}")
        return session

    def _still_given_up(self) -> int:
        self._given_up = [one for one in self._given_up if one.runs]
        return len(self._given_up)

    def _evaluating(self, client: Client, code: str) -> Work:
        session = self._session(client)
        began_s = time.monotonic()
        limit_s = min(session.limit_s, session.until_s - began_s)
        session.names.update(self._objects(session) if session.writes else self._shots(session))
        snippet = session.snippet = Snippet(code, session.names, limit_s, writes=session.writes)
        session.snippets += 1
        session.interrupted = False
        shown = code if len(code) <= TOLD_CHARS else f"{code[:TOLD_CHARS]}... ({len(code)} characters)"
        _log.info("attached: runs", who=session.who, write=session.writes, code=shown)
        outcome = "hung up"
        try:
            snippet.start()
            while snippet.runs and time.monotonic() < snippet.until_s + PATIENCE_S:
                text = snippet.take()
                yield {"out": text} if text else None
            outcome = "given up" if snippet.runs else snippet.outcome
        except RuntimeError as error:
            raise RequestError("busy", f"no thread can be had: {error}") from error
        finally:
            session.snippet = None
            snippet.stop()
            if snippet.runs:
                self._given_up.append(snippet)
            took_s = round(time.monotonic() - began_s, 3)
            _log.info("attached: ended", who=session.who, outcome=outcome, took_s=took_s)
        told = {"outcome": outcome, "why": self._why(session, outcome, limit_s), "trace": snippet.trace}
        return {"out": snippet.take(), "left_out": snippet.left_out, **told, "took_s": took_s}

    def _why(self, session: Session, outcome: str, limit_s: float) -> str:
        if outcome not in {"stopped", "given up"}:
            return ""
        what = "it was interrupted" if session.interrupted else f"it ran longer than {limit_s:.3g} s"
        if outcome == "stopped":
            return f"{what}, and was ended"
        return f"{what}, and cannot be ended: it goes on without you ({self._still_given_up()} of {GIVEN_UP_MAX})"

    def _shots(self, session: Session) -> dict[str, Any]:
        """Return what one who only looks gets: what everything is like now, and nothing of the flow itself."""
        status = Shot(self._told("status", session))
        return {"run": status, "stages": stages_of(self._run), "stacks": lambda: self._stacks(session)}

    def _objects(self, session: Session) -> dict[str, Any]:
        """Return the flow itself."""
        posts = named(self._run.crew.posts)
        return {"run": self._run, "stages": posts, "plugins": Plugins(posts), "stacks": lambda: self._stacks(session)}

    def _stacks(self, session: Session) -> Shot:
        threads = self._told("stacks", session)["threads"]
        return Shot({str(one["thread"]): "".join(f"{line}\n" for line in one["stack"]) for one in threads})

    def _told(self, verb: str, session: Session) -> Told:
        told = self._looks[verb](Request(None, verb, {}), session.client)
        assert isinstance(told, dict)
        return told
