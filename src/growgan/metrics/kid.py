"""Kernel inception distance (Bińkowski et al. 2018): the squared maximum mean discrepancy between sets of features.

Unlike FID's, its expectation does not depend on the number of images: between two halves of one set it is 0, and single
values scatter around it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from growgan.core.errors import ConfigError

SUBSETS = 100
SUBSET_IMAGES = 1000


class Kid(NamedTuple):
    """The mean over random subsets, and their standard deviation."""

    value: float
    deviation: float | None
    """None for a single pair of subsets."""


def kid(reals: Tensor, fakes: Tensor, seed: int = 0) -> Kid:
    """Compare features [n, D] and [m, D] by the kernel (x . y / D + 1)^3, unbiased, in 100 pairs of subsets.

    A subset is 1,000 images, or all of the smaller set; if that is all of both, there is only one pair.
    """
    size = min(SUBSET_IMAGES, len(reals), len(fakes))
    if size < 2:
        raise ConfigError("KID needs at least two images per set")
    if size == len(reals) == len(fakes):
        return Kid(discrepancy(reals, fakes), None)
    rng = np.random.default_rng(seed)
    found = [
        discrepancy(*(some[torch.from_numpy(rng.choice(len(some), size, replace=False))] for some in (reals, fakes)))
        for _ in range(SUBSETS)
    ]
    return Kid(float(np.mean(found)), float(np.std(found)))


def discrepancy(x: Tensor, y: Tensor) -> float:
    """Return the unbiased squared discrepancy of two equally large sets of features [n, D]; it may be negative."""
    n = len(x)
    same = sum(_kernel(some, some).fill_diagonal_(0).sum().item() for some in (x, y)) / (n * (n - 1))
    return float(same - 2 * _kernel(x, y).mean().item())


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    # The product is most of the work and exact enough in float32; the sums after it are not.
    return (x @ y.T).double().div_(x.shape[1]).add_(1).pow_(3)
