"""Layers with more feature maps than those that they begin as (Chen, Goodfellow, Shlens 2016, *Net2Net*).

Every map of the narrow layer is there several times in the wide one. What reads a map shares its weight among the
copies, so that the sum is the old one. Copies of all maps alike change neither pixel norm nor minibatch stddev: the
wide network acts as the narrow one did. The shares are uneven, some below zero: copies have to part, and with beta1 = 0
Adam's steps go by the sign of a gradient, which a positive share would leave the same for all copies.
"""

from __future__ import annotations

import torch
from torch import Tensor


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

    Of k copies each gets 1/k and a normal deviate, so large that the weights of an equalised layer keep their mean
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
