"""Sizes: powers of two, stages, and the shape of a grid of pictures."""

from __future__ import annotations

import re

from growgan.core.errors import ConfigError

LOWEST = 4
"""Side in pixels of the smallest image, where every network starts."""


def is_size(resolution: int) -> bool:
    """Whether `resolution` is a side that the networks can have: a power of two, 4 or more."""
    return resolution >= LOWEST and is_power_of_two(resolution)


def is_power_of_two(number: int) -> bool:
    """Whether `number` is 1, 2, 4, ..."""
    return number >= 1 and number & (number - 1) == 0


def log2(resolution: int) -> int:
    """The exact binary logarithm of a power of two."""
    if not is_power_of_two(resolution):
        raise ValueError(f"{resolution} is not a power of two")
    return resolution.bit_length() - 1


def stages(resolution: int, lowest: int = LOWEST) -> tuple[int, ...]:
    """The sides of all stages from `lowest` to `resolution`: ``(4, 8, ..., resolution)``."""
    return tuple(1 << r for r in range(log2(lowest), log2(resolution) + 1))


def stage_name(resolution: int) -> str:
    """The key of a stage's layers in networks and files: ``"8x8"``."""
    return f"{resolution}x{resolution}"


def grid_shape(resolution: int, width: int = 1920, height: int = 1080) -> tuple[int, int]:
    """Columns and rows of a grid of fakes that fills about `width` x `height` pixels.

    The release's rule, but with at most 16 x 9 pictures: small ones are enlarged instead.
    """
    columns = min(max(width // resolution, 3), 16)
    rows = min(max(height // resolution, 2), 9)
    return columns, rows


def parse_grid(text: str) -> tuple[int, int]:
    """Columns and rows from text such as ``8x4``. Raises `ConfigError` for anything else."""
    found = re.fullmatch(r"(\d+)x(\d+)", text.lower(), re.ASCII)
    if not found or not (found[1].strip("0") and found[2].strip("0")):
        raise ConfigError(f"--grid takes columns and rows such as 8x4, not {text!r}")
    if max(map(len, found.groups())) > 6 or int(found[1]) * int(found[2]) > 100_000:
        raise ConfigError(f"--grid {text[:40]!r} is too large")
    return int(found[1]), int(found[2])
