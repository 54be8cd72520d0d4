import threading

from tasks.redelivery.drain import Drain
from tests.waiting import DEADLINE_SECONDS, wait_until


class Watch:
    """What a drain did, in order."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.released = threading.Event()

    def drain(self) -> Drain:
        return Drain(pause=lambda: self.done.append("pause"), release=self.release)

    def release(self) -> None:
        self.done.append("release")
        self.released.set()


def test_taking_stops_at_once_and_work_goes_back_when_the_grace_is_over() -> None:
    watch = Watch()
    watch.drain().begin("test", 0.05)
    assert watch.done == ["pause"]
    assert watch.released.wait(DEADLINE_SECONDS)


def test_a_later_call_shortens_the_grace() -> None:
    watch = Watch()
    drain = watch.drain()
    drain.begin("first", 600)
    drain.begin("second", 0)
    assert watch.released.wait(DEADLINE_SECONDS)
    assert watch.done == ["pause", "release"]


def test_a_later_call_cannot_lengthen_it() -> None:
    watch = Watch()
    drain = watch.drain()
    drain.begin("first", 0.05)
    drain.begin("second", 600)
    assert watch.released.wait(DEADLINE_SECONDS)


def test_a_cancelled_drain_hands_nothing_back() -> None:
    watch = Watch()
    drain = watch.drain()
    drain.begin("test", 600)
    drain.cancel()
    wait_until(lambda: not any(thread.name == "drain" for thread in threading.enumerate()), "its thread ended")
    assert watch.done == ["pause"]


def test_it_says_what_it_is_doing() -> None:
    watch = Watch()
    drain = watch.drain()
    assert repr(drain) == "<Drain not begun>"
    drain.begin("test", 0)
    assert watch.released.wait(DEADLINE_SECONDS)
    assert repr(drain) == "<Drain done>"
