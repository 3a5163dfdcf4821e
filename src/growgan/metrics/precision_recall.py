"""Improved precision and recall (Kynkäänniemi et al. 2019): quality and variation as two numbers.

Around every picture of a set lies a ball that reaches its third nearest neighbour in the set. Precision is the share of
fakes inside a ball of the reals; recall the share of reals inside a ball of the fakes. Published figures use VGG-16's
features; on Inception's they differ, and are called ``pr_inception``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from growgan.core.errors import ConfigError

NEIGHBOUR = 3
ROWS_AT_ONCE = 256


class PrecisionRecall(NamedTuple):
    """Shares from 0 to 1; higher is better."""

    precision: float
    recall: float


def precision_recall(reals: Tensor, fakes: Tensor) -> PrecisionRecall:
    """Compare features [n, D] and [m, D], n and m above 3."""
    if min(len(reals), len(fakes)) <= NEIGHBOUR:
        raise ConfigError(f"precision and recall need more than {NEIGHBOUR} images per set")
    centre = reals.mean(0, dtype=torch.float64)  # centred, squared distances lose the fewest digits
    reals, fakes = (features.to(torch.float64, copy=True).sub_(centre) for features in (reals, fakes))
    return PrecisionRecall(_covered(fakes, reals), _covered(reals, fakes))


def _covered(points: Tensor, manifold: Tensor) -> float:
    """Return the share of points that lie in a ball around a point of the manifold."""
    # The nearest of all is the point itself.
    radii = torch.cat([near.kthvalue(NEIGHBOUR + 1, dim=1).values for near in _distances(manifold, manifold)])
    inside = [(near <= radii).any(dim=1) for near in _distances(points, manifold)]
    return torch.cat(inside).double().mean().item()


def _distances(x: Tensor, y: Tensor) -> Iterator[Tensor]:
    """Squared distances [n, len(y)] from a few rows of x at a time."""
    lengths = y.square().sum(1)
    for start in range(0, len(x), ROWS_AT_ONCE):
        some = x[start : start + ROWS_AT_ONCE]
        squares = some.square().sum(1, keepdim=True) + lengths
        yield torch.addmm(squares, some, y.T, alpha=-2).clamp_(min=0)
