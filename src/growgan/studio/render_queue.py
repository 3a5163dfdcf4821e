"""One thread that makes all pictures: waiting ones are made together, with films in between."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, InvalidStateError
from functools import partial
from typing import Any, Generic, TypeVar

from growgan.core.errors import ConfigError

What = TypeVar("What")
Made = TypeVar("Made")
T = TypeVar("T")


class RenderQueue(Generic[What, Made]):
    """Takes orders from any thread and answers with futures. Networks work on one thing at a time.

    together: makes the ordered items of one kind, in order. most: how many at once.
    """

    def __init__(self, together: Callable[[Any, Sequence[What]], Sequence[Made]], most: int) -> None:
        self._together = together
        self._most = most
        self._orders: deque[tuple[Hashable, Any, Future[Any]]] = deque()
        self._news = threading.Condition()
        self._at_work: list[Future[Any]] = []
        self._closed = False
        threading.Thread(target=self._work, name="studio", daemon=True).start()

    def order(self, kind: Hashable, what: What) -> Future[Made]:
        """Order something that is made together with waiting orders of its kind."""
        return self._put(kind, what)

    def call(self, work: Callable[[], T]) -> Future[T]:
        """Order any other work that needs the networks; it runs after everything ordered before."""
        return self._put(None, work)

    def close(self) -> None:
        """Refuse all waiting and future orders. A signal handler may call this."""
        with self._news:
            self._closed = True
            waiting = [*self._at_work, *(order[2] for order in self._orders)]
            self._orders.clear()
        for future in waiting:
            _settle(future, error=ConfigError("the studio is shutting down"))

    def _put(self, kind: Hashable, what: Any) -> Future[Any]:
        future: Future[Any] = Future()
        with self._news:
            if self._closed:
                future.set_exception(ConfigError("the studio is shutting down"))
                return future
            self._orders.append((kind, what, future))
            self._news.notify()
        return future

    def _work(self) -> None:
        while True:
            kind, orders = self._next()
            make = _called if kind is None else partial(self._together, kind)
            alone = len(orders) == 1
            if not _answer(orders, make, tell=alone) and not alone:
                for one in orders:  # so that an error in one does not affect the others
                    _answer([one], make, tell=True)

    def _next(self) -> tuple[Hashable, list[tuple[Any, Future[Any]]]]:
        """The oldest order that has not been cancelled, and waiting ones of its kind."""
        some: list[tuple[Any, Future[Any]]] = []
        with self._news:
            while not some:
                while not self._orders:
                    self._news.wait()
                kind = self._orders[0][0]
                for order in [one for one in self._orders if one[0] == kind][: self._most if kind is not None else 1]:
                    self._orders.remove(order)
                    if order[2].set_running_or_notify_cancel():
                        some.append(order[1:])
            self._at_work = [future for _, future in some]
        return kind, some


def _called(works: list[Callable[[], Any]]) -> list[Any]:
    return [work() for work in works]


def _answer(orders: list[tuple[Any, Future[Any]]], make: Callable[[list[Any]], Sequence[Any]], tell: bool) -> bool:
    """Make what was ordered. Returns whether that succeeded. tell: whether to answer with an error that occurs."""
    try:
        made = make([what for what, _ in orders])
        if len(made) != len(orders):
            raise ValueError(f"{len(made)} answers to {len(orders)} orders")
        for (_, future), one in zip(orders, made):
            _settle(future, one)
    except BaseException as error:  # passed on to those who ordered
        if tell:
            for _, future in orders:
                _settle(future, error=error)
        return False
    return True


def _settle(future: Future[Any], result: Any = None, error: BaseException | None = None) -> None:
    """Answer a future, unless it was already answered when the studio was closed."""
    with contextlib.suppress(InvalidStateError):
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)
