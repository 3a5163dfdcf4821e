"""What imported networks do differently (`core.network_spec.Variant`, docs/importing.md).

The paper's forms are in `layers`; here a variant chooses its own, once, when a network is built.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from growgan.core.network_spec import Variant
from growgan.networks import layers, resample


def pixel_norm(variant: Variant) -> Callable[..., Tensor]:
    """The variant's form of `layers.pixel_norm`, to be called with x and `inplace`."""
    form = _pixel_norm_outside if variant.norm_eps_outside else layers.pixel_norm
    return partial(form, eps=variant.norm_eps)


def _pixel_norm_outside(x: Tensor, eps: float, inplace: bool = False) -> Tensor:
    """Pixel norm with `eps` added to the root, not under it."""
    inverse = 1 / (layers.channel_norm(x) / math.sqrt(x.shape[1]) + eps)
    scale = resample.broadcast(inverse.to(x.dtype), x)
    return x.mul_(scale) if inplace else x * scale


def stddev_group_size(variant: Variant, n: int, most: int | None) -> int:
    """The variant's form of `layers.stddev_group_size`."""
    return (_contiguous_group_size if _is_contiguous(variant) else layers.stddev_group_size)(n, most)


def _contiguous_group_size(n: int, most: int | None) -> int:
    """`most`, or the whole minibatch if that leaves a remainder."""
    most = n if most is None else min(most, n)
    return most if n % most == 0 else n


def minibatch_stddev(variant: Variant) -> Callable[[Tensor, int | None, int], Tensor]:
    """The variant's form of `layers.minibatch_stddev`."""
    if not (_is_contiguous(variant) or variant.stddev_unbiased):
        return layers.minibatch_stddev
    return partial(_minibatch_stddev, variant)


def _minibatch_stddev(variant: Variant, x: Tensor, group: int | None, parts: int = 1) -> Tensor:
    """Minibatch stddev with groups of consecutive images, or an unbiased deviation, which is 0 for a group of one."""
    n, c, h, w = x.shape
    size = stddev_group_size(variant, n // parts, group)
    unbiased, contiguous = variant.stddev_unbiased, _is_contiguous(variant)
    member = 2 if contiguous else 1  # the axis along a group's images
    y = x.float() if x.dtype in layers.LOW else x
    y = y.reshape(parts, -1, size, c, h, w) if contiguous else y.reshape(parts, size, -1, c, h, w)
    y = (y - y.mean(dim=member, keepdim=True)).square()
    y = y.sum(dim=member) / max(size - 1, 1) if unbiased else y.mean(dim=member)
    y = (y + 1e-8).sqrt().mean(dim=(2, 3, 4))  # [parts, groups]
    y = torch.zeros_like(y) if unbiased and size == 1 else y
    y = y.unsqueeze(member).expand(-1, -1, size) if contiguous else y.unsqueeze(member).expand(-1, size, -1)
    return torch.cat([x, y.reshape(n, 1, 1, 1).expand(-1, -1, h, w).to(x.dtype)], dim=1)


def _is_contiguous(variant: Variant) -> bool:
    return variant.stddev_groups == "contiguous"
