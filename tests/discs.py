"""Pictures with something to see in them, and the words of a run on them that takes seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

TINY = (
    *("--preset", "tiny", "--threads", "1", "--precision", "float32", "--kimg", "0.32"),
    *("--set", "schedule.training_kimg=0.064", "--set", "schedule.transition_kimg=0.064"),
    *("--set", "schedule.tick_kimg=0.064"),
)
"""A run of 320 images through 4, 8 and 16 pixels, a tick every 64."""

SHORT = (
    *("--preset", "tiny,no-growing", "--threads", "1", "--precision", "float32", "--kimg", "0.032"),
    *("--set", "snapshots.measure=none"),
)
"""A run of four steps at full resolution."""

Colour = tuple[int, int, int]
YELLOW = (255, 200, 0)


def draw_disc(random: np.random.RandomState, colour: Colour, width: int, height: int) -> np.ndarray:
    """A coloured disc somewhere on a blue slope: uint8 [height, width, 3]."""
    y, x = np.mgrid[0:height, 0:width]
    left, top = random.randint(width // 4, 3 * width // 4), random.randint(height // 4, 3 * height // 4)
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    pixels[..., 2] = x * 255 // width
    pixels[(x - left) ** 2 + (y - top) ** 2 < (min(width, height) // 4) ** 2] = colour
    return pixels


def save_discs(
    folder: Path, count: int, colour: Colour = YELLOW, sizes: tuple[tuple[int, int], ...] = ((16, 16),)
) -> Path:
    """A folder of `count` such pictures, of the sizes in turn; always the same ones."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.RandomState(sum(colour))
    for i in range(count):
        Image.fromarray(draw_disc(random, colour, *sizes[i % len(sizes)])).save(folder / f"{i:03d}.png")
    return folder
