"""The candidate algorithms for each product of a convolution."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from growgan.networks.convolution import Algorithm, Product
from growgan.networks.direct import (
    ChannelsFirst,
    Dense,
    Direct,
    Down,
    DownIm2col,
    Im2col,
    Up,
    UpIm2col,
    WideDown,
    WideUp,
)
from growgan.networks.winograd import Winograd

DIRECT, FIRST, IM2COL, F2, F4 = Direct(), ChannelsFirst(), Im2col(), Winograd(2), Winograd(4)
UP, DOWN, DENSE = {"direct": Up()}, {"direct": Down()}, {"direct": Dense()}
WIDE_UP, WIDE_DOWN = {"wide": WideUp()}, {"wide": WideDown()}
# "taps" is what stored plans call im2col.
UP_IM2COL, DOWN_IM2COL = UP | {"taps": UpIm2col()}, DOWN | {"taps": DownIm2col()}
MOST = 2**27
"""Maximum bytes of unfolded images, or of one transformed image: above that, memory matters more."""
SMALL = 4
"""Side in pixels above which matrix products are never faster than the primitives, except for weight gradients."""
STILL_SMALL = 16
"""The same for weight gradients across two resolutions, at the lower one."""
NARROW = 32
"""Channels below which Winograd's matrix products are too thin to be worth trying."""


def plain(which: Product, a: Tensor, shape: torch.Size, weight: torch.Size) -> Mapping[str, Algorithm]:
    """For a convolution that keeps the size. On devices other than CPUs the library chooses by itself."""
    if a.device.type != "cpu" or weight[-1] != 3 or a.dtype == torch.float64:
        return {"direct": DIRECT}
    found: dict[str, Algorithm] = {"direct": DIRECT}
    size = shape.numel() * a.element_size()
    if which == "weights":
        found |= {"channels first": FIRST}
    if 9 * size <= MOST and (which == "weights" or shape[-1] <= SMALL):
        found |= {"taps": IM2COL}
    # In 16 bits, the additional rounding would cost what F(2x2) gains.
    if a.dtype == torch.float32 and min(weight[:2]) >= NARROW:
        fitting = (f for f in (F2, F4) if shape[-1] % f.m == 0 and f.image_bytes(a, max(weight[:2])) <= MOST)
        found |= {f.family: f for f in fitting}
    return found


def up(which: Product, a: Tensor, shape: torch.Size, weight: torch.Size) -> Mapping[str, Algorithm]:
    """For upscaling, then a convolution."""
    if a.device.type == "cuda":
        return WIDE_UP
    return UP_IM2COL if _small(which, a, shape[-1]) else UP


def down(which: Product, a: Tensor, shape: torch.Size, weight: torch.Size) -> Mapping[str, Algorithm]:
    """For a convolution, then downscaling."""
    if a.device.type == "cuda":
        return WIDE_DOWN
    return DOWN_IM2COL if _small(which, a, shape[-1] // 2) else DOWN


def _small(which: Product, a: Tensor, side: int) -> bool:
    """Whether matrix products are worth trying, given the side at the lower of two resolutions."""
    return (
        a.device.type == "cpu" and a.dtype != torch.float64 and side <= (STILL_SMALL if which == "weights" else SMALL)
    )


def dense(which: Product, a: Tensor, shape: torch.Size, weight: torch.Size) -> Mapping[str, Algorithm]:
    """For a dense layer."""
    return DENSE
