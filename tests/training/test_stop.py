"""training/stop: which signals end a run."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from growgan.training.stop import ANSWER, Stop

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")


@pytest.fixture
def hangup() -> Iterator[signal.Signals]:
    """SIGHUP, which is handled afterwards as it was before."""
    number = signal.SIGHUP
    before = signal.getsignal(number)
    yield number
    signal.signal(number, before)


def test_a_hangup_is_asked_for_and_the_handler_goes_back(hangup: signal.Signals) -> None:
    signal.signal(hangup, signal.SIG_DFL)
    with Stop() as stop:
        os.kill(os.getpid(), hangup)
        assert stop.asked == hangup
    assert signal.getsignal(hangup) is signal.SIG_DFL


def test_what_is_ignored_stays_so(hangup: signal.Signals) -> None:
    """As under nohup."""
    signal.signal(hangup, signal.SIG_IGN)
    with Stop() as stop:
        os.kill(os.getpid(), hangup)
        assert stop.asked is None
    assert signal.getsignal(hangup) is signal.SIG_IGN


def test_the_first_signal_is_answered_where_that_is_asked_for(
    hangup: signal.Signals, capfd: pytest.CaptureFixture[str]
) -> None:
    signal.signal(hangup, signal.SIG_DFL)
    for said in (False, True):
        with Stop(said) as stop:
            os.kill(os.getpid(), hangup)
            assert stop.asked == hangup
    assert capfd.readouterr().err.split("\n") == ["", ANSWER.decode().strip(), ""]
