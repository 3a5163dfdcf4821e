"""Changes to pictures, given their random numbers: affine in the pictures, so that second derivatives pass through.

Those of differentiable augmentation are DiffAugment's (Zhao et al. 2020), in its order, with its ranges and bounds.
"""

from __future__ import annotations

import torch
from torch import Tensor

TRANSLATION = 1 / 8
"""Largest shift of an image, as a fraction of its side."""
CUTOUT = 1 / 2
"""Side of the square that is cut out, as a fraction of the image's side."""
COLOURS = {2: 1, 4: 3}
"""Number of colour channels by number of channels, where the last one is alpha."""
CHANGES = 5
"""Brightness, saturation, contrast, translation, cutout: each applied to an image or not."""
NUMBERS = CHANGES + 7
"""Random numbers per image: one per change to switch it on, three for the colours, two each for the positions."""


def mirror(x: Tensor, flip: Tensor) -> Tensor:
    """Images [N, C, H, W], flipped left-right where `flip`, bool [N], is true."""
    return torch.where(flip[:, None, None, None], x.flip(3), x)


def augment(x: Tensor, policy: tuple[str, ...], numbers: Tensor, p: Tensor | float = 1.0) -> Tensor:
    """Images [N, C, S, S] changed as `policy` says: any of "colour", "translation", "cutout".

    numbers: uniform in [0, 1), [N, NUMBERS]. p: probability of each change to each image (1 is DiffAugment).
    """
    on = numbers[:, :CHANGES] < p
    brightness, saturation, contrast, *where = numbers[:, CHANGES:].unbind(1)
    size = x.shape[-1]
    if "colour" in policy:
        x = recolour(
            x,
            torch.where(on[:, 0], brightness - 0.5, 0.0),
            torch.where(on[:, 1], saturation * 2, 1.0),
            torch.where(on[:, 2], contrast + 0.5, 1.0),
        )
    if "translation" in policy:
        most = int(size * TRANSLATION + 0.5)
        down, right = ((_below(2 * most + 1, u) - most) * on[:, 3] for u in where[:2])
        x = translate(x, down, right)
    if "cutout" in policy:
        side = int(size * CUTOUT + 0.5)
        top, left = (_below(size + 1 - side % 2, u) - side // 2 for u in where[2:])
        x = cut_out(x, side, top, left, on[:, 4])
    return x


def recolour(x: Tensor, brightness: Tensor, saturation: Tensor, contrast: Tensor) -> Tensor:
    """Images with their brightness, saturation and contrast, [N] each, changed; an alpha channel is left alone.

    `brightness` is added; the distance of colours from grey is multiplied by `saturation`, and that from the image's
    mean by `contrast`. All three are done in one step, since neither grey nor mean is moved by scaling the distance
    from it.
    """
    colours = COLOURS.get(x.shape[1], x.shape[1])
    if colours < x.shape[1]:
        changed = recolour(x[:, :colours], brightness, saturation, contrast)
        return torch.cat([changed, x[:, colours:]], dim=1)
    brightness, saturation, contrast = (v[:, None, None, None] for v in (brightness, saturation, contrast))
    grey = x.mean(dim=1, keepdim=True)
    flat = torch.addcmul(brightness, 1 - contrast, grey.mean(dim=(2, 3), keepdim=True))
    return torch.addcmul(torch.addcmul(flat, contrast * (1 - saturation), grey), contrast * saturation, x)


def translate(x: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """Images whose pixel (i, j) is that of x at (i + down, j + right), int64 [N] each, or 0 where x has none."""
    n, channels, height, width = x.shape
    rows = torch.arange(height, device=x.device) + down[:, None]
    columns = torch.arange(width, device=x.device) + right[:, None]
    there = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[:, None]
    places = rows.clamp(0, height - 1)[:, :, None] * width + columns.clamp(0, width - 1)[:, None]
    moved = x.flatten(2).gather(2, places.reshape(n, 1, -1).expand(-1, channels, -1)).view(x.shape)
    return moved * there[:, None]


def cut_out(x: Tensor, side: int, top: Tensor, left: Tensor, on: Tensor) -> Tensor:
    """Images set to 0 in a square with its top left corner at (top, left), int64 [N], where `on`, bool [N], is true."""
    rows = torch.arange(x.shape[2], device=x.device) - top[:, None]
    columns = torch.arange(x.shape[3], device=x.device) - left[:, None]
    inside = ((rows >= 0) & (rows < side))[:, :, None] & ((columns >= 0) & (columns < side) & on[:, None])[:, None]
    return x * ~inside[:, None]


def _below(end: int, u: Tensor) -> Tensor:
    """Whole numbers in [0, end), from `u` uniform in [0, 1)."""
    return (u * end).long().clamp(max=end - 1)
