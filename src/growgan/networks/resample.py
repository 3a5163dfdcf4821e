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


def smeared(weight: Tensor) -> Tensor:
    """The sum of a 3x3 kernel's four shifts by half a pixel each way: [O, I, 3, 3] to [O, I, 4, 4]."""
    w = F.pad(weight, (1, 1, 1, 1))
    return w[:, :, 1:, 1:] + w[:, :, 1:, :-1] + w[:, :, :-1, 1:] + w[:, :, :-1, :-1]


def up_kernel(weight: Tensor) -> Tensor:
    """The kernel [I, O, 4, 4] of a transposed convolution, stride 2, that equals `upscale`, then 3x3 by [O, I, 3, 3].

    The same in 1/2.25 of the multiplications: every output pixel sees only 2x2 different inputs. A transposed
    convolution runs its kernel backwards, hence the flip.
    """
    return smeared(weight.flip(2, 3)).transpose(0, 1)


def down_kernel(weight: Tensor) -> Tensor:
    """The kernel [O, I, 4, 4] of a convolution, stride 2, that equals 3x3 by [O, I, 3, 3], then `downscale`."""
    return smeared(weight) * 0.25
