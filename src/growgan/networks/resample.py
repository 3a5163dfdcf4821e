"""Upscaling and downscaling of images, and the box sums that fused convolutions share with them.

On a CPU, the library has a primitive for depthwise convolutions that reads and writes every number once, and in 16 bits
is three to five times as fast as pooling, padding and adding; box sums and means use it.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

LIBRARY: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
"""Whether PyTorch was built with that library (oneDNN)."""


def upscale(x: Tensor) -> Tensor:
    """Twice the size, nearest neighbour: [N, C, H, W] to [N, C, 2H, 2W]."""
    if torch.is_grad_enabled() and x.requires_grad:
        y: Tensor = _Upscale.apply(x)  # type: ignore[no-untyped-call]
        return y
    return F.interpolate(x, scale_factor=2, mode="nearest")


def downscale(x: Tensor, weight: float = 0.25) -> Tensor:
    """Half the size, mean of 2x2 boxes: [N, C, 2H, 2W] to [N, C, H, W]. weight: 1 for their sums."""
    if torch.is_grad_enabled() and x.requires_grad:
        y: Tensor = _Downscale.apply(x, weight)  # type: ignore[no-untyped-call]
        return y
    if _prefers_depthwise(x):
        return _depthwise(x, weight, None, stride=2)
    return F.avg_pool2d(x, 2) if weight == 0.25 else F.avg_pool2d(x, 2) * (4 * weight)


class _Upscale(torch.autograd.Function):
    """`upscale` with box sums as its adjoint; PyTorch's own takes twice as long."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return upscale(x)

    @staticmethod
    def backward(ctx: Any, gy: Tensor) -> Tensor:
        return downscale(gy, 1.0)


class _Downscale(torch.autograd.Function):
    """`downscale` with `upscale` as its adjoint; PyTorch's takes five times as long in 16 bits, and keeps the input."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: float) -> Tensor:
        ctx.weight = weight
        return downscale(x, weight)

    @staticmethod
    def backward(ctx: Any, gy: Tensor) -> tuple[Tensor, None]:
        return upscale(gy * ctx.weight if ctx.weight != 1 else gy), None


def lerp(a: Tensor, b: Tensor, t: float | Tensor) -> Tensor:
    """Interpolation: exactly `a` at t = 0, exactly `b` at t = 1. t: a scalar tensor is rounded to their type."""
    return torch.lerp(a, b, t.to(a.dtype) if isinstance(t, Tensor) else t)


def checked(alpha: float | Tensor) -> float | Tensor:
    """`alpha`, validated; a tensor, on whatever device, is not inspected. Raises `ValueError` if it is out of range."""
    if isinstance(alpha, Tensor):
        return alpha
    if not 0 <= alpha <= 1:  # also rejects NaN
        raise ValueError(f"alpha must be between 0 and 1, not {alpha}")
    return float(alpha)


def fades(alpha: float | Tensor) -> bool:
    """Whether the layers of the stage below contribute besides the newest."""
    return isinstance(alpha, Tensor) or alpha < 1


def box_sum(x: Tensor, edges: bool = False, bias: Tensor | None = None) -> Tensor:
    """Sums of all 2x2 boxes of pixels: [N, C, H, W] to [N, C, H - 1, W - 1].

    edges: also sum boxes that overlap the image only by half or a quarter, to [N, C, H + 1, W + 1]. The two forms are
    each other's adjoints. bias: [C], added.
    """
    if _prefers_depthwise(x):
        return _depthwise(x, 1.0, bias, padding=int(edges))
    x = F.pad(x, (1, 1, 1, 1)) if edges else x
    x = x[:, :, 1:] + x[:, :, :-1]
    x = x[..., 1:] + x[..., :-1]
    return x if bias is None else x.add_(bias[:, None, None])


def _prefers_depthwise(x: Tensor) -> bool:
    """Whether the library's depthwise convolution is fastest."""
    fitting = x.device.type == "cpu" and x.dtype in (torch.float32, torch.bfloat16)
    return fitting and LIBRARY and x.is_contiguous(memory_format=torch.channels_last)


def _depthwise(x: Tensor, weight: float, bias: Tensor | None, stride: int = 1, padding: int = 0) -> Tensor:
    channels = x.shape[1]
    return F.conv2d(x, _box_kernel(channels, weight, x.dtype), bias, stride, padding, groups=channels)


@cache
def _box_kernel(channels: int, weight: float, dtype: torch.dtype) -> Tensor:
    """A depthwise kernel that sums boxes. Usable in training even if sampling created it first."""
    with torch.inference_mode(False):
        return torch.full((channels, 1, 2, 2), weight, dtype=dtype, device="cpu")


def broadcast(value: Tensor, x: Tensor) -> Tensor:
    """`value`, in a form that broadcasts fast over every pixel or every channel of x.

    On a CPU, 16-bit numbers of few channels are broadcast one by one, twenty times slower than applying a full copy.
    """
    slow = x.device.type == "cpu" and x.element_size() == 2 and x.dim() == 4 and x.shape[1] < LANES
    return value.expand_as(x).contiguous(memory_format=torch.channels_last) if slow else value


LANES = 32
"""16-bit numbers that a vector register holds."""
