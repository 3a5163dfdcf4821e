"""Splitting a minibatch among processes and into micro-batches, such that the parts give the gradients of the whole.

Minibatch stddev compares the images of a group, so a part must consist of whole groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from growgan.core.config import NetworkSpec
from growgan.core.schedule import Schedule
from growgan.networks.variants import stddev_group_size


@dataclass(frozen=True, eq=False)
class Part:
    """Images that are computed at once."""

    rows: Tensor
    """Their indices in the minibatch, int64."""
    own: slice
    """Their position among the images that this process computes."""

    def __len__(self) -> int:
        return len(self.rows)


@lru_cache(maxsize=64)
def parts(n: int, most: int | None, spec: NetworkSpec, rank: int = 0, world: int = 1) -> tuple[Part, ...]:
    """The parts, of about `most` images each, in which process `rank` of `world` computes its share of a minibatch.

    Shares and parts may be unequal, and are never smaller than a group: their gradients must be weighted by their size.
    With more processes than groups the last ones have nothing to do.
    """
    group = spec.stddev_group if spec.has_stddev else 1
    contiguous = spec.variant.stddev_groups == "contiguous"
    size = stddev_group_size(spec.variant, n, group)
    each, odd = divmod(n // size, world)
    first = rank * each + min(rank, odd)
    groups = each + (rank < odd)

    def fits(count: int) -> bool:
        """Whether D, which takes the largest divisor of its batch, finds the same groups in `count` of them."""
        return count == 0 or stddev_group_size(spec.variant, count * size, group) == size

    wanted = groups if most is None else max(1, min(most // size, groups))
    together = next((g for g in range(wanted, 0, -1) if fits(g) and fits(groups % g)), 1)
    # Image i is in group i mod (number of groups); with contiguous groups, in group i // size.
    members = torch.arange(n).reshape(-1, size) if contiguous else torch.arange(n).reshape(size, -1).T
    members = members[first : first + groups]
    cuts = range(0, groups, together)
    some_groups = [members[g : g + together] for g in cuts]
    rows = [(some if contiguous else some.T).reshape(-1) for some in some_groups]
    return tuple(Part(some, slice(g * size, g * size + len(some))) for g, some in zip(cuts, rows))


def own_rows(parts: tuple[Part, ...]) -> Tensor:
    """The rows of the minibatch that a process computes, part after part."""
    return torch.cat([part.rows for part in parts]) if parts else torch.empty(0, dtype=torch.int64)


def fewest_groups(schedule: Schedule, spec: NetworkSpec, nimg: int = 0) -> tuple[int, int]:
    """How many processes can share every minibatch from `nimg` on, and the resolution that limits this."""
    group = spec.stddev_group if spec.has_stddev else 1
    left = [schedule.trained(stage) for stage in schedule.stages if stage.end > nimg] or [schedule.at(nimg)]
    sizes = {phase.minibatch: stddev_group_size(spec.variant, phase.minibatch, group) for phase in left}
    return min((phase.minibatch // sizes[phase.minibatch], phase.resolution) for phase in left)
