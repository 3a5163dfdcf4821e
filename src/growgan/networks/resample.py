"""Doubling and halving of images, alone and fused with a convolution."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def upscale(x: Tensor) -> Tensor:
    """Twice the size, nearest neighbour: [N, C, H, W] to [N, C, 2H, 2W]."""
    return F.interpolate(x, scale_factor=2, mode="nearest")


def downscale(x: Tensor) -> Tensor:
    """Half the size, mean of 2x2 boxes: [N, C, 2H, 2W] to [N, C, H, W]."""
    return F.avg_pool2d(x, 2)


def lerp(a: Tensor, b: Tensor, t: float) -> Tensor:
    """`a` at t = 0, `b` at t = 1; exactly so at both ends."""
    return a * (1 - t) + b * t


def boxes(x: Tensor, edges: bool = False) -> Tensor:
    """Sums of all boxes of 2x2 pixels: [N, C, H, W] to [N, C, H - 1, W - 1]; with `edges`, those that overlap the image
    by half or a quarter as well, to [N, C, H + 1, W + 1]. The one is the other's adjoint."""
    x = F.pad(x, (1, 1, 1, 1)) if edges else x
    x = x[:, :, 1:] + x[:, :, :-1]
    return x[..., 1:] + x[..., :-1]


def spread(value: Tensor, x: Tensor) -> Tensor:
    """`value` made ready to be applied to every pixel or every channel of x, as broadcasting would.

    On a processor, 16-bit numbers of few channels are broadcast one by one, twenty times slower than a copy is applied.
    """
    slow = x.device.type == "cpu" and x.element_size() == 2 and x.dim() == 4 and x.shape[1] < LANES
    return value.expand_as(x).contiguous(memory_format=torch.channels_last) if slow else value


LANES = 32
"""16-bit numbers that a vector register holds."""
