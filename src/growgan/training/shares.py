"""How a minibatch is cut so that its parts give the gradients of the whole.

Minibatch stddev compares the images of a group, so that a part must be made of whole groups.
"""

from __future__ import annotations

import torch
from torch import Tensor

from growgan.core.config import NetworkSpec
from growgan.networks.layers import stddev_group_size


def microbatches(n: int, most: int | None, spec: NetworkSpec) -> list[Tensor]:
    """The rows, int64, of the parts that a minibatch of `n` is computed in, of about `most` images each.

    Parts may be unequal, and are never smaller than a group: their gradients are to be weighted by their share.
    """
    if most is None or most >= n:
        return [torch.arange(n)]
    group = spec.stddev_group if spec.has_stddev else 1
    size = stddev_group_size(n, group)
    groups = n // size

    def fits(count: int) -> bool:
        """Whether D, which looks for the largest divisor of what it gets, finds the same groups in so many of them."""
        return count == 0 or stddev_group_size(count * size, group) == size

    together = next(g for g in range(max(1, most // size), 0, -1) if fits(g) and fits(groups % g))
    members = torch.arange(n).reshape(size, groups)  # image i is in group i mod groups
    return [members[:, g : g + together].reshape(-1) for g in range(0, groups, together)]
