"""Ctrl-C while modules are being imported."""

from __future__ import annotations

import _thread
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

AGAIN = 0.05
"""Seconds until a held interrupt is tried again."""


@contextmanager
def held_while_importing() -> Iterator[None]:
    """Let Ctrl-C wait for the end of an import: PyTorch and NumPy catch everything in places, and it would be lost.

    Nothing is changed where somebody else handles SIGINT already, or it is ignored (as under nohup).
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, _interrupt)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is _interrupt:  # whoever changed it meanwhile, such as to SIG_IGN, meant it
            signal.signal(signal.SIGINT, signal.default_int_handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    if not _importing(frame):
        raise KeyboardInterrupt
    later = threading.Timer(AGAIN, _send)
    later.daemon = True
    later.start()


def _importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return True
        frame = frame.f_back
    return False


def _send() -> None:
    if hasattr(signal, "pthread_kill"):  # it wakes a main thread that waits; interrupt_main does not
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        _thread.interrupt_main()
