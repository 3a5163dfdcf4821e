"""Ctrl-C while modules are being imported, and SIGTERM treated like Ctrl-C."""

from __future__ import annotations

import _thread
import signal
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType

from growgan.core.errors import Terminated

AGAIN = 0.05
"""Seconds until a deferred interrupt is tried again."""


def held_while_importing() -> AbstractContextManager[None]:
    """Defer Ctrl-C until an import has ended: PyTorch and NumPy catch everything in places, and it would be lost."""
    return _answered(signal.SIGINT, signal.default_int_handler)


def tidied_when_terminated() -> AbstractContextManager[None]:
    """Let SIGTERM, with which a queue ends a job, leave as little behind as Ctrl-C does."""
    return _answered(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def _answered(number: signal.Signals, usual: object) -> Iterator[None]:
    """Handle a signal here, unless it already has another handler, or is ignored (as under nohup)."""
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(number) is not usual:
        yield
        return
    before = signal.signal(number, _interrupt)
    try:
        yield
    finally:
        if signal.getsignal(number) is _interrupt:  # a handler set meanwhile, such as SIG_IGN, is left in place
            signal.signal(number, before)


def _interrupt(number: int, frame: FrameType | None) -> None:
    if not _importing(frame):
        raise Terminated if number == signal.SIGTERM else KeyboardInterrupt
    later = threading.Timer(AGAIN, _send, [signal.Signals(number)])
    later.daemon = True
    later.start()


def _importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return True
        frame = frame.f_back
    return False


def _send(number: signal.Signals) -> None:
    if hasattr(signal, "pthread_kill"):  # wakes a waiting main thread, which interrupt_main does not
        signal.pthread_kill(threading.main_thread().ident or 0, number)
    else:
        _thread.interrupt_main(number)
