from __future__ import annotations

import threading

from swak.control.stacks import stacks


def test_stages_come_first_and_the_caller_is_left_out() -> None:
    over = threading.Event()
    threads = [threading.Thread(target=over.wait, args=(20,), name=name) for name in ("a-thread", "swak:web/Fluentd")]
    for thread in threads:
        thread.start()
    try:
        found = stacks(["web/Fluentd", "web/Gone"])
    finally:
        over.set()
        for thread in threads:
            thread.join(20)
    assert (found[0].thread, found[0].stage) == ("swak:web/Fluentd", "web/Fluentd")
    assert [one.stage for one in found if one.thread == "a-thread"] == [None]
    assert any("wait" in line for line in found[0].lines)
    assert threading.current_thread().name not in {one.thread for one in found}
