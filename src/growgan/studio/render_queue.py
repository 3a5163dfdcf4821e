"""One thread that makes all pictures: those that wait together are made together, films between them."""

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
    """Takes orders from any thread, and answers with futures. A network is at work for one of them at a time.

    together: makes what was ordered of one kind, in order. most: so many at once.
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
        """Something that is made together with others of its kind, where some wait."""
        return self._put(kind, what)

    def call(self, work: Callable[[], T]) -> Future[T]:
        """Whatever else needs the networks: it has its turn when what was ordered before is done."""
        return self._put(None, work)

    def close(self) -> None:
        """Answer all who wait, and whoever comes, that nothing is made any more. A signal's handler may call it."""
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
                for one in orders:  # so that what is wrong with one is nobody else's trouble
                    _answer([one], make, tell=True)

    def _next(self) -> tuple[Hashable, list[tuple[Any, Future[Any]]]]:
        """The next order that somebody still wants, and others of its kind that wait."""
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
    """Make what was ordered. Returns whether that has succeeded. tell: what goes wrong is the answer."""
    try:
        made = make([what for what, _ in orders])
        if len(made) != len(orders):
            raise ValueError(f"{len(made)} answers to {len(orders)} orders")
        for (_, future), one in zip(orders, made):
            _settle(future, one)
    except BaseException as error:  # whoever ordered it is told
        if tell:
            for _, future in orders:
                _settle(future, error=error)
        return False
    return True


def _settle(future: Future[Any], result: Any = None, error: BaseException | None = None) -> None:
    """Answer a future, unless somebody else has: when the studio is closed."""
    with contextlib.suppress(InvalidStateError):
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)
