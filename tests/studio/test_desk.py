"""Orders of one kind that wait are made together, in order; what is wrong with one is told to it alone."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from growgan.studio.desk import Desk


def test_those_that_wait_are_made_together() -> None:
    seen: list[tuple[str, list[int]]] = []
    begun, go = threading.Event(), threading.Event()

    def together(kind: str, some: Sequence[int]) -> list[int]:
        seen.append((kind, list(some)))
        return [10 * one for one in some]

    desk: Desk[int, int] = Desk(together, most=3)
    held = desk.call(lambda: (begun.set(), go.wait(30))[1])
    assert begun.wait(30)
    orders = [desk.order(kind, n) for n, kind in enumerate("aababaaa")]
    called = desk.call(lambda: threading.current_thread().name)
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

    desk: Desk[int, int] = Desk(together, most=8)
    desk.call(lambda: (begun.set(), go.wait(30)))
    assert begun.wait(30)
    orders = [desk.order("a", n) for n in (1, 2, 3)]
    go.set()
    assert orders[0].result(30) == 1 and orders[2].result(30) == 3
    with pytest.raises(ValueError, match="two"):
        orders[1].result(30)
    with pytest.raises(ZeroDivisionError):
        desk.call(lambda: 1 // 0).result(30)
    assert desk.order("a", 4).result(30) == 4
