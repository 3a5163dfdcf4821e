"""The nearest of many rows to a few: exact, in one pass over rows that need not fit into memory."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Nearest(NamedTuple):
    """For each of Q queries the k nearest rows, the nearest first."""

    distances: Tensor
    """Euclidean, float64 [Q, k]; exactly 0 between equal rows of whole numbers."""
    rows: Tensor
    """Numbers of the rows, int64 [Q, k]."""
    views: Tensor
    """Which view of the query was the nearest one, int64 [Q, k]."""


class NearestRows:
    """Looks for the nearest rows to queries of one or several views each, such as itself and its mirror image.

    The distance of a row is that of the nearest view. In float64: sums of squares of 8-bit pixels are exact in it.
    """

    def __init__(self, views: Tensor, count: int) -> None:
        """``views``: the queries, [V, Q, D], of any type of numbers. ``count``: k, how many rows are looked for."""
        self._views = views.double()
        self._lengths = self._views.square().sum(2)
        self._seen = 0
        self._count = count
        queries = views.shape[1]
        self._squares = torch.empty(queries, 0, dtype=torch.float64)
        self._rows = torch.empty(queries, 0, dtype=torch.int64)
        self._which = torch.empty(queries, 0, dtype=torch.int64)

    def add(self, rows: Tensor) -> None:
        """Compare some more rows [n, D]; they are numbered as they come."""
        rows = rows.double()
        lengths = rows.square().sum(1)
        squares = torch.stack(
            [
                torch.addmm(own[:, None] + lengths, view, rows.T, alpha=-2).clamp_(min=0)
                for view, own in zip(self._views, self._lengths)
            ]
        )
        nearest = squares.min(0)  # of the views
        numbers = torch.arange(self._seen, self._seen + len(rows)).expand(len(nearest.values), -1)
        self._seen += len(rows)
        # Earlier ones come first, so that of equal distances the lower number stays.
        squares = torch.cat([self._squares, nearest.values], 1)
        order = squares.argsort(dim=1, stable=True)[:, : self._count]
        self._squares = squares.gather(1, order)
        self._rows = torch.cat([self._rows, numbers], 1).gather(1, order)
        self._which = torch.cat([self._which, nearest.indices], 1).gather(1, order)

    def result(self) -> Nearest:
        """Return what was found so far; fewer than k where there were fewer rows."""
        return Nearest(self._squares.sqrt(), self._rows, self._which)
