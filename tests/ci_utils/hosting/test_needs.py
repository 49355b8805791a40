"""Whether a process is ready may be asked by anybody, as often as they like."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ci_utils.errors import CIError, Unavailable
from ci_utils.hosting import needs


class SlowLook:
    """Stands for the look at all that is needed; it takes as long as a silent server."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.answers = threading.Event()

    def __call__(self, _: tuple[str, ...]) -> list[CIError]:
        self.begun.set()
        assert self.answers.wait(100)
        return []


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch) -> SlowLook:
    look = SlowLook()
    monkeypatch.setattr(needs, "missing", look)
    monkeypatch.setattr(needs, "ANSWER_SECONDS", 0.0)
    return look


@pytest.mark.timeout(90)
def test_who_asks_during_the_first_look_is_told_that_it_goes_on(look: SlowLook):
    readiness = needs.Readiness(("lander",))
    with ThreadPoolExecutor(1) as first:
        answer = first.submit(readiness.require)
        assert look.begun.wait(60)
        with pytest.raises(Unavailable, match="still being looked at"):
            readiness.require()
        look.answers.set()
        assert answer.result() is None


@pytest.mark.timeout(90)
def test_who_asks_during_a_later_look_gets_the_last_answer(look: SlowLook):
    readiness = needs.Readiness(("lander",))
    look.answers.set()
    readiness.require()
    look.answers.clear()
    look.begun.clear()
    with ThreadPoolExecutor(1) as later:
        answer = later.submit(readiness.require)
        assert look.begun.wait(60)
        readiness.require()
        look.answers.set()
        assert answer.result() is None
