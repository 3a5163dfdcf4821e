"""What progress shows on a terminal, and how little of it in a log."""

from __future__ import annotations

import io

import pytest

from growgan.core import progress
from growgan.core.progress import Progress, Silent


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_terminal_line_is_rewritten_and_ended(clock: list[float]) -> None:
    stream = Terminal()
    with Progress(100, "pictures", stream) as bar:
        bar.advance(10)
        clock[0] += 1
        bar.advance(10)
        clock[0] += 1
        bar.advance(80)
    lines = stream.getvalue().split("\r")
    assert lines[1] == "pictures: 20 of 100, 20/s, 4s left"
    assert lines[-1].strip() == "pictures: 100 of 100, 50/s" and stream.getvalue().endswith("\n")


def test_log_gets_a_line_every_ten_seconds(clock: list[float]) -> None:
    stream = io.StringIO()
    with Progress(10_000, "pictures", stream) as bar:
        for _ in range(25):
            clock[0] += 1
            bar.advance(2)
    assert stream.getvalue().splitlines() == [
        "pictures: 20 of 10,000, 2.0/s, 1h23m left",
        "pictures: 40 of 10,000, 2.0/s, 1h23m left",
    ]


def test_short_work_leaves_no_trace_in_a_log_and_unknown_totals_are_fine(clock: list[float]) -> None:
    stream = io.StringIO()
    with Progress(None, "pictures", stream) as bar:
        bar.advance()
        assert stream.getvalue() == ""
        clock[0] += 10
        bar.advance()
        bar.close()
    assert stream.getvalue() == "pictures: 2, 0.2/s\n"


def test_silence_counts_and_shows_nothing(clock: list[float]) -> None:
    stream = Terminal()
    with Silent(10, "pictures", stream) as bar:
        bar.advance(3)
        clock[0] += 60
        bar.advance(4)
        bar.clear()
    assert bar.done == 7 and stream.getvalue() == ""
