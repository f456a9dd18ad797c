"""The verb by which an agent is asked to hand over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from swak.control.protocol import RequestError

if TYPE_CHECKING:
    from swak.control.protocol import Request
    from swak.control.server import Client, Verb, Work
    from swak.handover.predecessor import Attempt, Handover


def verb_of(handover: Handover) -> Verb:
    """Return what the control socket does when somebody asks for a handover."""

    def hand_over(request: Request, _client: Client) -> Work:
        request.all_taken()
        return _answered(handover.ask())

    return hand_over


def _answered(attempt: Attempt) -> Work:
    """Wait until the new process has checked its recipe; what comes then ends this connection, too."""
    while not attempt.decided.is_set():
        yield None
    if attempt.refusal:
        raise RequestError("refused", attempt.refusal)
    return {"pid": attempt.pid, "attempt": attempt.number}
