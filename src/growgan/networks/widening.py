"""Layers with more feature maps than those that they begin as (Chen, Goodfellow, Shlens 2016, *Net2Net*).

Every map of the narrow layer is there several times in the wide one. What reads a map shares its weight among the
copies, unequally, so that the sum is the old one and yet each copy gets gradients of its own and goes its own way.
Copies of all maps alike change neither pixel norm nor minibatch stddev: the wide network acts as the narrow one did.
"""

from __future__ import annotations

import torch
from torch import Tensor

UNEVEN = 0.5
"""How far a copy's share may lie from an equal one, before the shares are brought to their sum."""


def copies(narrow: int, wide: int, each: int = 1, single: int = 0) -> Tensor:
    """For each unit of the wide layer, the one of the narrow that it is a copy of: int64 [wide].

    each: units that a feature map has, one after the other. single: maps at the end that stay alone. Raises ValueError
    if there would not be as many copies of every other map.
    """
    before, now = narrow // each - single, wide // each - single
    if now % before:
        raise ValueError(f"{now} feature maps are not a multiple of {before}")
    maps = torch.cat([torch.arange(now) % before, before + torch.arange(single)])
    return (maps[:, None] * each + torch.arange(each)).flatten()


def shared(weight: Tensor, inputs: Tensor, seed: int) -> Tensor:
    """The weight [outputs, narrow, ...] shared among copies of its inputs: [outputs, wide, ...].

    seed: of the shares.
    """
    if len(inputs) == weight.shape[1]:
        return weight
    draw = torch.Generator().manual_seed(seed)
    shares = 1 + UNEVEN * (2 * torch.rand(weight[:, inputs].shape, generator=draw) - 1)
    sums = torch.zeros(weight.shape).index_add_(1, inputs, shares)
    return weight[:, inputs] * (shares / sums[:, inputs]).to(weight)
