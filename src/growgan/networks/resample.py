"""Doubling and halving of images, alone and fused with a convolution."""

from __future__ import annotations

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
