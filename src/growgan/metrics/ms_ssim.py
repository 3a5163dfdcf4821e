"""Multi-scale structural similarity between random pairs of a set (Odena et al. 2017; ProGAN, sections 5 and 6.1).

A measure of variation, not of quality: 1 when all images are alike, lower the more they differ; compare it with the
value of the training set. Structural similarity is that of Wang, Simoncelli and Bovik (2003), windows as in the
authors' code, which shrinks them for images below 11 pixels.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from growgan.core.errors import ConfigError

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
WINDOW = 11
SIGMA = 1.5
C1 = (0.01 * 255) ** 2
C2 = (0.03 * 255) ** 2


def ms_ssim_pairs(images: Iterable[Tensor | np.ndarray[Any, Any]], device: torch.device | None = None) -> float:
    """Return the mean similarity of the pairs (0, 1), (2, 3), ... of a stream of uint8 batches [N, C, H, W].

    Pairs span batches, and an odd image at the end is left out. The caller's order makes the pairs random. device:
    where it is computed; None = where the images are.
    """
    total, pairs = 0.0, 0
    rest: Tensor | None = None
    for batch in images:
        # np.array: torch warns about read-only pixels, such as Pillow's, unless they are copied.
        batch = torch.as_tensor(np.array(batch) if isinstance(batch, np.ndarray) else batch)
        if batch.dtype != torch.uint8 or batch.ndim != 4:
            raise ConfigError(f"MS-SSIM takes uint8 images [N, C, H, W], not {batch.dtype} {[*batch.shape]}")
        batch = batch.to(device) if device is not None else batch
        if rest is not None:
            batch = torch.cat([rest, batch])
        whole = len(batch) // 2 * 2
        rest = batch[whole:]
        if whole:
            values = ms_ssim(batch[0:whole:2].float(), batch[1:whole:2].float())
            total += values.cpu().sum(dtype=torch.float64).item()
            pairs += len(values)
    if not pairs:
        raise ConfigError("MS-SSIM needs at least two images")
    return total / pairs


def ms_ssim(x: Tensor, y: Tensor) -> Tensor:
    """Return the similarity of each pair of float images [N, C, H, W] of 0..255: [N], from 0 to 1."""
    product = x.new_ones(len(x))
    for level, weight in enumerate(WEIGHTS, 1):
        similarity, contrast = _ssim(x, y)
        last = level == len(WEIGHTS)
        product = product * (similarity if last else contrast).clamp(min=0) ** weight
        if not last:
            x, y = _halve(x), _halve(y)
    return product


def _ssim(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return the means over an image of luminance x contrast x structure, and of contrast x structure: [N] each."""
    mean_x, mean_y, xx, yy, xy = _blur(torch.stack([x, y, x * x, y * y, x * y]))
    covariance = xy - mean_x * mean_y
    variances = xx - mean_x**2 + yy - mean_y**2
    contrast = (2 * covariance + C2) / (variances + C2)
    luminance = (2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1)
    return (luminance * contrast).mean((1, 2, 3)), contrast.mean((1, 2, 3))


def _blur(maps: Tensor) -> Tensor:
    """Filter [..., H, W] with the Gaussian window, only where it lies wholly inside."""
    size = min(WINDOW, *maps.shape[-2:])
    # The window's sigma shrinks with it; an even window is centred between two pixels.
    at = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    window = torch.exp(-0.5 * (at / (SIGMA * size / WINDOW)) ** 2)
    weights: list[float] = (window / window.sum()).tolist()
    return _slide(_slide(maps, weights, -1), weights, -2)


def _slide(maps: Tensor, weights: list[float], axis: int) -> Tensor:
    """Take the weighted mean of neighbours along an axis; on a CPU far faster than a convolution of one channel."""
    length = maps.shape[axis] - len(weights) + 1
    total = maps.narrow(axis, 0, length) * weights[0]
    for shift, weight in enumerate(weights[1:], 1):
        total.add_(maps.narrow(axis, shift, length), alpha=weight)
    return total


def _halve(images: Tensor) -> Tensor:
    """Average 2x2 pixels; a side of one pixel stays, so that tiny images have five levels too."""
    return F.avg_pool2d(images, 2, ceil_mode=True)
