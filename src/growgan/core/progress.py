"""A progress line on stderr: rewritten in place on a terminal, a plain line now and then in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import Self, TextIO, TypeVar

T = TypeVar("T")

REDRAW_SECONDS = 0.1
LOG_SECONDS = 10.0


def write(stream: TextIO, text: str) -> None:
    """Write and flush, ignoring errors: a closed terminal is no reason to stop working."""
    with suppress(OSError, ValueError):  # ValueError: the stream itself is closed
        stream.write(text)
        stream.flush()


def tell(line: str) -> None:
    """Show a line on stderr."""
    write(sys.stderr, line + "\n")


def warn(line: str) -> None:
    """Show a command's warning on stderr: it goes on, but the user may want to act."""
    tell(f"growgan: warning: {line}")


class Progress:
    """Counts `what` up to `total` (None: unknown) and shows rate and time left.

    On a terminal the line is redrawn ten times a second; elsewhere a line is written every ten seconds, so that short
    work leaves no trace in a log. Not for use from several threads at once.
    """

    def __init__(self, total: int | None, what: str, stream: TextIO | None = None) -> None:
        self.total = total
        self.what = what
        self.done = 0
        self._stream = stream if stream is not None else sys.stderr
        self._on_terminal = self._stream.isatty()
        self._start = self._shown = time.monotonic()
        self._width = 0
        self._closed = False

    def advance(self, n: int = 1) -> None:
        """Count `n` more as done, and show the line if it is due."""
        self.done += n
        now = time.monotonic()
        if now - self._shown >= (REDRAW_SECONDS if self._on_terminal else LOG_SECONDS):
            self._shown = now
            self._show(now)

    def counting(self, things: Iterable[T]) -> Iterator[T]:
        """Yield `things`, counting each once the next one is requested."""
        for thing in things:
            yield thing
            self.advance()

    def clear(self) -> None:
        """Erase the line from a terminal to make room for other output; the next update starts a new one."""
        if self._on_terminal:
            write(self._stream, "\r" + " " * self._width + "\r")

    def close(self) -> None:
        """Show the last state and end the line; calling it again does nothing."""
        if self._closed:
            return
        self._closed = True
        if self._on_terminal:
            self._show(time.monotonic())
            write(self._stream, "\n")

    def _show(self, now: float) -> None:
        line = self._describe(now - self._start)
        if self._on_terminal:
            # Padding erases the rest of a longer line before this one.
            write(self._stream, "\r" + line.ljust(self._width))
            self._width = len(line)
        else:
            write(self._stream, line + "\n")

    def _describe(self, seconds: float) -> str:
        rate = self.done / seconds if seconds > 0 else 0.0
        count = f"{self.done:,}" if self.total is None else f"{self.done:,} of {self.total:,}"
        parts = [f"{self.what}: {count}", f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s"]
        if self.total is not None and rate > 0 and self.done < self.total:
            parts.append(f"{clock((self.total - self.done) / rate)} left")
        return ", ".join(parts)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Silent(Progress):
    """Counts and shows nothing."""

    def advance(self, n: int = 1) -> None:
        """Count `n` more as done."""
        self.done += n

    def clear(self) -> None:
        """There is no line."""

    def close(self) -> None:
        """There is no line."""


# Makes the progress display of some work: `Progress`, `Silent`, or a caller's own.
MakeProgress = Callable[[int | None, str], Progress]


def clock(seconds: float | None) -> str:
    """A human-readable duration: 48s, 12m30s, 3h05m, 2d07h; ? for None."""
    if seconds is None:
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d{hours:02d}h"
    if hours:
        return f"{hours}h{minutes:02d}m"
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"
