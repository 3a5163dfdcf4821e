"""Layers widened without changing what they compute (Chen, Goodfellow, Shlens 2016, *Net2Net*).

Every map of the narrow layer occurs several times in the wide one. A layer that reads a map splits its weight among the
copies, so that the sum is the old one. If all maps are copied equally often, neither pixel norm nor minibatch stddev
changes: the wide network acts as the narrow one did. The shares are uneven, some negative: copies have to diverge, and
with beta1 = 0 Adam's steps follow the sign of a gradient, which positive shares would leave the same for all copies.
"""

from __future__ import annotations

import torch
from torch import Tensor


def copies(narrow: int, wide: int, each: int = 1, single: int = 0) -> Tensor:
    """For each unit of the wide layer, the unit of the narrow one that it copies: int64 [wide].

    each: consecutive units per feature map. single: maps at the end that are not copied. Raises `ValueError` if the
    other maps would not all be copied equally often.
    """
    before, now = narrow // each - single, wide // each - single
    if now % before:
        raise ValueError(f"{now} feature maps are not a multiple of {before}")
    maps = torch.cat([torch.arange(now) % before, before + torch.arange(single)])
    return (maps[:, None] * each + torch.arange(each)).flatten()


def shared(weight: Tensor, inputs: Tensor, seed: int) -> Tensor:
    """The weight [outputs, narrow, ...] split among copies of its inputs: [outputs, wide, ...].

    Each of k copies gets 1/k and a normal deviate, just so large that the weights of an equalised layer keep their mean
    square, and with it the relative size of Adam's steps. seed: of the deviates.
    """
    if len(inputs) == weight.shape[1]:
        return weight
    draw = torch.Generator().manual_seed(seed)
    deviates = torch.randn(weight[:, inputs].shape, generator=draw)
    k = inputs.bincount().view(-1, *[1] * (weight.dim() - 2))
    means = torch.zeros(weight.shape).index_add_(1, inputs, deviates) / k
    shares = 1 / k[inputs] + (deviates - means[:, inputs]) / k[inputs].sqrt()
    return weight[:, inputs] * shares.to(weight)
