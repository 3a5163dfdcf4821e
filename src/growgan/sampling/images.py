"""From network outputs to bytes, grids and PNG files."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from growgan.core import geometry
from growgan.core.errors import ConfigError
from growgan.core.files import whole
from growgan.data.image_metadata import metadata_for

if TYPE_CHECKING:
    from torch import Tensor

SMALLEST_SHOWN = 64
"""Pixels per side below which grids enlarge their pictures, so that they can be seen."""


def to_uint8(x: Tensor) -> np.ndarray:
    """Images [N, C, H, W], nominally in [-1, 1], as uint8 of the same shape: clip(round(127.5 x + 127.5))."""
    bytes_: np.ndarray = (x.float() * 127.5 + 127.5).round().clamp(0, 255).byte().cpu().numpy()
    return bytes_


def round_array(x: np.ndarray) -> np.ndarray:
    """`to_uint8` for an array."""
    rounded: np.ndarray = np.rint(x.astype(np.float32) * np.float32(127.5) + np.float32(127.5))
    return rounded.clip(0, 255).astype(np.uint8)


def to_picture(pixels: np.ndarray) -> Image.Image:
    """One picture from uint8 [C, H, W]; the first three channels unless there are 1, 3 or 4."""
    channels = len(pixels)
    if channels == 1:
        return Image.fromarray(pixels[0])
    if channels not in (3, 4):
        pixels = pixels[:3] if channels > 4 else pixels[[0]].repeat(3, 0)
    return Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))


def enlarge(pixels: np.ndarray, resolution: int) -> np.ndarray:
    """Pictures uint8 [N, C, H, W] enlarged by the largest whole factor that fits `resolution`, nearest neighbour."""
    factor = max(1, resolution // pixels.shape[-1])
    return pixels.repeat(factor, 2).repeat(factor, 3)


def check_size(size: int, resolution: int) -> None:
    """Raise `ConfigError` if pictures of `resolution` cannot be shown at `size` by `resized`."""
    large, small = max(size, resolution), max(1, min(size, resolution))
    if size < 1 or large % small or not geometry.is_power_of_two(large // small):
        some = f"such as {max(1, resolution // 2)}, {resolution} or {2 * resolution}"
        raise ConfigError(f"--size must be {resolution} times or divided by a power of two, {some}, not {size}")


def resized(pixels: np.ndarray, size: int) -> np.ndarray:
    """Pictures uint8 [N, C, H, W] at `size` pixels per side: enlarged by nearest neighbour, or averaged over boxes."""
    n, channels, height, _ = pixels.shape
    factor = height // size
    if factor <= 1:
        return enlarge(pixels, size)
    boxes = pixels.reshape(n, channels, size, factor, size, factor)
    smaller: np.ndarray = boxes.mean(axis=(3, 5)).round().astype(np.uint8)
    return smaller


def make_grid(pixels: np.ndarray, columns: int, resolution: int | None = None) -> Image.Image:
    """Pictures uint8 [N, C, H, W] side by side, `columns` per row, each enlarged to `resolution` pixels per side.

    resolution: None = their own size, but at least 64 so that small ones can be seen. Missing cells stay black.
    """
    pixels = enlarge(pixels, resolution or max(pixels.shape[-1], SMALLEST_SHOWN))
    n, channels, size, _ = pixels.shape
    rows = math.ceil(n / columns)
    canvas = np.zeros((channels, rows * size, columns * size), dtype=np.uint8)
    for i, picture in enumerate(pixels):
        row, column = divmod(i, columns)
        canvas[:, row * size : (row + 1) * size, column * size : (column + 1) * size] = picture
    return to_picture(canvas)


def save_png(path: Path, picture: Image.Image, notes: dict[str, str] | None = None) -> None:
    """Write a PNG, whole or not at all, with `notes` as its text fields."""
    with whole(path) as temporary:
        picture.save(temporary, format="PNG", **metadata_for("PNG", notes or {}))
