"""Orders of one kind that wait are made together, in order; what is wrong with one is told to it alone."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from growgan.core.errors import ConfigError
from growgan.studio.render_queue import RenderQueue


def test_those_that_wait_are_made_together() -> None:
    seen: list[tuple[str, list[int]]] = []
    begun, go = threading.Event(), threading.Event()

    def together(kind: str, some: Sequence[int]) -> list[int]:
        seen.append((kind, list(some)))
        return [10 * one for one in some]

    queue: RenderQueue[int, int] = RenderQueue(together, most=3)
    held = queue.call(lambda: (begun.set(), go.wait(30))[1])
    assert begun.wait(30)
    orders = [queue.order(kind, n) for n, kind in enumerate("aababaaa")]
    called = queue.call(lambda: threading.current_thread().name)
    go.set()
    assert held.result(30) and [one.result(30) for one in orders] == [0, 10, 20, 30, 40, 50, 60, 70]
    assert seen == [("a", [0, 1, 3]), ("b", [2, 4]), ("a", [5, 6, 7])]
    assert called.result(30) == "studio"


def test_one_that_fails_is_told_alone() -> None:
    begun, go = threading.Event(), threading.Event()

    def together(kind: str, some: Sequence[int]) -> list[int]:
        if 2 in some:
            raise ValueError("two")
        return list(some)

    queue: RenderQueue[int, int] = RenderQueue(together, most=8)
    queue.call(lambda: (begun.set(), go.wait(30)))
    assert begun.wait(30)
    orders = [queue.order("a", n) for n in (1, 2, 3)]
    go.set()
    assert orders[0].result(30) == 1 and orders[2].result(30) == 3
    with pytest.raises(ValueError, match="two"):
        orders[1].result(30)
    with pytest.raises(ZeroDivisionError):
        queue.call(lambda: 1 // 0).result(30)
    assert queue.order("a", 4).result(30) == 4


def test_closed_all_who_wait_are_told() -> None:
    begun, go = threading.Event(), threading.Event()
    queue: RenderQueue[int, int] = RenderQueue(lambda kind, some: some, most=2)
    held = queue.call(lambda: (begun.set(), go.wait(30)))
    assert begun.wait(30)
    waiting, left = queue.order("a", 1), queue.order("a", 2)
    assert left.cancel()
    queue.close()
    late = queue.order("a", 3)
    for future in (held, waiting, late):
        with pytest.raises(ConfigError, match="shutting down"):
            future.result(30)
    go.set()


def test_what_is_cancelled_is_not_made() -> None:
    seen: list[int] = []
    begun, go = threading.Event(), threading.Event()
    queue: RenderQueue[int, int] = RenderQueue(lambda kind, some: seen.extend(some) or list(some), most=8)
    queue.call(lambda: (begun.set(), go.wait(30)))
    assert begun.wait(30)
    orders = [queue.order("a", n) for n in range(4)]
    assert orders[1].cancel() and orders[3].cancel()
    go.set()
    assert orders[0].result(30) == 0 and orders[2].result(30) == 2 and seen == [0, 2]


def test_a_wrong_number_of_answers_is_an_error_not_an_end() -> None:
    queue: RenderQueue[int, int] = RenderQueue(lambda kind, some: [1, 2, 3] if kind == "bad" else list(some), most=8)
    with pytest.raises(ValueError, match="3 answers to 1 orders"):
        queue.order("bad", 1).result(30)
    assert queue.order("good", 4).result(30) == 4
