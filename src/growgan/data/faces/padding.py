"""Continue a picture beyond its edges: mirrored, increasingly blurred, then fading to one colour (appendix C)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.float32]

CUT_OFF = 4.0
"""Standard deviations at which the Gaussian is truncated."""


def continue_beyond_edges(image: Image.Image, padding: Sequence[int], sigma: float) -> Image.Image:
    """Return an RGB picture with `padding` more pixels at its left, top, right and bottom, each at least 1.

    With m = 1 - (distance to the nearest outer edge, in paddings of that side), which is 0 at the picture's own edge,
    the blur of `sigma` pixels has the weight 3m + 1 and, after it, the median colour the weight m, both clipped to
    0..1.
    """
    left, top, right, bottom = padding
    pixels = np.pad(np.asarray(image, np.float32), ((top, bottom), (left, right), (0, 0)), "reflect")
    height, width, channels = pixels.shape
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    across = np.minimum(x / np.float32(left), x[::-1] / np.float32(right))
    down = np.minimum(y / np.float32(top), y[::-1] / np.float32(bottom))
    m = 1 - np.minimum(across, down[:, None])
    blurred, faded = np.clip(m * 3 + 1, 0, 1), np.clip(m, 0, 1)
    for channel in range(channels):
        plane = pixels[:, :, channel]
        plane += (blur(plane, sigma) - plane) * blurred
    pixels += (np.median(pixels, axis=(0, 1)) - pixels) * faded[:, :, None]
    return Image.fromarray(np.clip(np.round(pixels), 0, 255).astype(np.uint8))


def blur(plane: Pixels, sigma: float) -> Pixels:
    """Return a Gaussian blur of float32 [H, W]: scipy.ndimage.gaussian_filter's, edges mirrored, by Fourier transform.

    For rows of thousands of pixels and kernels of hundreds, this is twenty times as fast as direct sums. It is computed
    in float64 and rounded where scipy rounds, after each axis: the difference is at most one unit in the last place.
    """
    radius = int(CUT_OFF * sigma + 0.5)
    at = np.arange(-radius, radius + 1)
    kernel = np.exp(-0.5 / (sigma * sigma) * at**2)
    kernel /= kernel.sum()
    for _ in range(2):  # the columns of the transposed plane are its rows
        plane = _convolve_columns(plane, kernel, radius).T
    return plane


def _convolve_columns(plane: Pixels, kernel: NDArray[np.float64], radius: int) -> Pixels:
    mirrored = np.pad(plane.astype(np.float64), ((radius, radius), (0, 0)), "symmetric")
    length = _find_fast_length(len(mirrored))
    spectrum = np.fft.rfft(mirrored, length, axis=0) * np.fft.rfft(kernel, length)[:, None]
    whole = np.fft.irfft(spectrum, length, axis=0)
    return whole[2 * radius : 2 * radius + len(plane)].astype(np.float32)


def _find_fast_length(least: int) -> int:
    """Return the next product of 2s, 3s and 5s, a length for which Fourier transforms are fast."""
    while True:
        rest = least
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return least
        least += 1
