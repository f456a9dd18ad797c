from __future__ import annotations

from swak import in_, out, task
from swak.actors.running import running
from swak.control.flushing import flushing
from swak.testing import Fault, FlakyOutput


def test_what_a_buffer_holds_is_settled_in_the_end() -> None:
    source = in_.Memory(["a"], follow=True)
    with running(task(source, out.TimedBuffer("5M"), sink := out.Memory())) as run:
        steps, told = flushing(run.crew.posts, 20, lambda: False), None
        while told is None:
            try:
                next(steps)
            except StopIteration as done:
                told = done.value
            run.wait(0.01)
        assert told["flushed"]
        assert not any(post.share.flushing for post in run.crew.posts)
        source.end()
    assert sink.records == [{"message": "a"}]


def test_who_waits_no_more_is_told_what_is_not_settled() -> None:
    source, sink = in_.Memory(["a"], follow=True), FlakyOutput([Fault(None, hang=True)])
    with running(task(source, sink, name="t")) as run:
        sink.wait_until_it_hangs()
        steps = flushing(run.crew.posts, 20, lambda: True)
        try:
            next(steps)
        except StopIteration as done:
            told = done.value
        assert (told["flushed"], told["waiting_flows"]) == (False, ["t"])
        run.stop(now=True)
