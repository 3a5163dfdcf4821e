"""Ctrl-C and SIGTERM: finish the step, save, then end."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any, Self

from growgan.core.errors import Terminated

SIGNALS = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
"""Ctrl-C, a job queue that ends a job, a terminal that is closed."""


class Asked(Exception):
    """A stop was requested while there is nothing to save yet."""


ECHO = 2.0
"""Seconds within which one signal may arrive by several routes."""
ANSWER = b"\nfinishing this step and saving; press Ctrl-C again after two seconds to quit at once\n"


class Stop:
    """While entered in the main thread, the first of `SIGNALS` sets `asked`; a later one ends at once.

    Signals within `ECHO` seconds count as the same request: torchrun forwards a signal to processes that may have had
    it.

    A signal that is ignored already, such as SIGHUP under nohup, stays ignored.
    """

    def __init__(self, said: bool = False) -> None:
        """said: whether the first signal is answered on stderr."""
        self.said = said
        self.asked: signal.Signals | None = None
        self._first = -math.inf
        self._before: dict[signal.Signals, Any] = {}

    def ask(self) -> None:
        """Request a stop, as SIGTERM would: for programs that train in a thread."""
        self.asked = signal.SIGTERM

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.asked is not None:
            if time.monotonic() - self._first < ECHO:
                return
            raise Terminated if number == signal.SIGTERM else KeyboardInterrupt
        self.asked = signal.Signals(number)
        self._first = time.monotonic()
        if self.said:  # bypasses Python's stream, which may be in the middle of a line; a closed stderr does not matter
            with contextlib.suppress(OSError):
                os.write(2, ANSWER)

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()
