"""The nearest of many rows to a few queries: exact, in one pass over rows that need not fit into memory."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Nearest(NamedTuple):
    """For each of Q queries the k nearest rows, the nearest first."""

    distances: Tensor
    """Euclidean, float64 [Q, k]; exactly 0 between equal rows of integers."""
    rows: Tensor
    """Row numbers, int64 [Q, k]."""
    views: Tensor
    """Which view of the query was the nearest one, int64 [Q, k]."""


class NearestRows:
    """Finds the nearest rows to queries of one or several views each, such as a picture and its mirror image.

    A row's distance is that to the nearest view. Computed in float64, in which sums of squares of 8-bit pixels are
    exact.
    """

    def __init__(self, views: Tensor, count: int) -> None:
        """views: the queries, [V, Q, D], of any numeric type. count: k, how many rows to find."""
        self._views = views.double()
        self._lengths = self._views.square().sum(2)
        self._seen = 0
        self._count = count
        queries = views.shape[1]
        self._squares = torch.empty(queries, 0, dtype=torch.float64)
        self._rows = torch.empty(queries, 0, dtype=torch.int64)
        self._which = torch.empty(queries, 0, dtype=torch.int64)

    def add(self, rows: Tensor) -> None:
        """Compare further rows [n, D]; they are numbered in the order in which they are added."""
        rows = rows.double()
        lengths = rows.square().sum(1)
        squares = torch.stack(
            [
                torch.addmm(own[:, None] + lengths, view, rows.T, alpha=-2).clamp_(min=0)
                for view, own in zip(self._views, self._lengths)
            ]
        )
        nearest = squares.min(0)  # over the views
        numbers = torch.arange(self._seen, self._seen + len(rows)).expand(len(nearest.values), -1)
        self._seen += len(rows)
        # Earlier rows come first, so that of equal distances the lower number stays.
        squares = torch.cat([self._squares, nearest.values], 1)
        order = squares.argsort(dim=1, stable=True)[:, : self._count]
        self._squares = squares.gather(1, order)
        self._rows = torch.cat([self._rows, numbers], 1).gather(1, order)
        self._which = torch.cat([self._which, nearest.indices], 1).gather(1, order)

    def result(self) -> Nearest:
        """Return what was found so far; fewer than k if there were fewer rows."""
        return Nearest(self._squares.sqrt(), self._rows, self._which)
