"""Moved pictures side by side: a sheet of directions, and the path of one edit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from growgan.core.errors import ConfigError
from growgan.core.fonts import sans
from growgan.data.pictures import convert
from growgan.editing.directions import Directions
from growgan.sampling import images
from growgan.sampling.base import BaseModel
from growgan.sampling.films import WIDEST
from growgan.sampling.latents import Label
from growgan.sampling.walks import Walk, room, still

PAPER, INK = (255, 255, 255), (30, 30, 30)
MARGIN = 8
LEGEND = 110
"""Pixels to the left of a row, for its name."""
COLUMNS = 8
"""Photographs side by side."""
LARGEST = 128
"""Pixels per side above which a sheet downscales its pictures."""
MOST_PHOTOGRAPHS = WIDEST // (2 * LARGEST) * COLUMNS
"""Most photographs that fit on a sheet."""


def moved(
    model: BaseModel,
    found: Directions,
    moves: Sequence[Mapping[str, float]],
    origin: Walk,
) -> Walk:
    """A walk whose frames are the first frame of `origin` after each of `moves`; labels and offsets stay."""
    found.check(model)
    z = room(len(moves), origin.z.shape[1], model.spec)
    for frame, move in zip(z, moves, strict=True):
        frame[:] = found.move(origin.z[0], move)
    return replace(origin.lasting(len(z)), z=z)


def part(moves: Mapping[str, float], t: float) -> dict[str, float]:
    """The moves scaled by `t`, 0 to 1."""
    return {name: amount * float(t) for name, amount in moves.items()}


def there_and_back(moves: Mapping[str, float], frames: int) -> list[dict[str, float]]:
    """The moves of each frame of a film: to `moves` and back, slow at both ends."""
    return [part(moves, t) for t in 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(frames) / frames)]


def beside(model: BaseModel, photographs: Sequence[np.ndarray], found: Walk, batch: int = 4) -> Image.Image:
    """Photographs uint8 [C, S, S], each above its picture: a cell of the first frame of `found`."""
    side = min(max(model.resolution, images.SMALLEST_SHOWN), LARGEST)
    above = images.resized(np.stack(photographs), side)
    below = np.concatenate([images.resized(pixels, side) for pixels in model.pictures(found, batch=batch)])
    columns = min(len(below), COLUMNS)
    rows: list[np.ndarray] = []
    for start in range(0, len(below), columns):
        for all_ in (above, below):
            some = all_[start : start + columns]
            rows.append(np.pad(some, [(0, columns - len(some)), (0, 0), (0, 0), (0, 0)]))
    return images.make_grid(np.concatenate(rows), columns)


def edit(walk: Walk) -> Walk:
    """The walk as one frame with a row per seed and a column per original frame."""
    return walk.each(lambda one: one.swapaxes(0, 1).reshape(1, -1, *one.shape[2:]))


def apart(walk: Walk) -> Walk:
    """The walk with a frame for each picture."""
    return walk.each(lambda one: one.reshape(-1, 1, *one.shape[2:]))


def draw(
    model: BaseModel,
    found: Directions,
    seeds: Sequence[int],
    reach: float,
    *,
    steps: int = 5,
    label: Label | str | None = None,
    truncation: float = 1.0,
    batch: int = 16,
) -> Image.Image:
    """A row for each direction: every seed in `steps` from ``-reach`` to ``reach``; if odd, the middle one is unmoved.

    Raises `ConfigError` for a sheet of more than 16,383 pixels per side.
    """
    side = min(max(model.resolution, images.SMALLEST_SHOWN), LARGEST)
    width = len(seeds) * (steps * side + MARGIN)
    size = LEGEND + width, len(found.names) * (side + MARGIN) + MARGIN
    if max(size) > WIDEST:
        raise ConfigError(f"a sheet of {size[0]}x{size[1]} pixels is too large: use fewer seeds or directions")
    label = model.label(label) if isinstance(label, str) else label
    origin = still(seeds, model.spec, model.distribution, label=label)
    sheet = Image.new("RGB", size, PAPER)
    pen, font = ImageDraw.Draw(sheet), ImageFont.truetype(sans(), 12)
    for row, (name, weight) in enumerate(zip(found.names, found.weights)):
        top = MARGIN + row * (side + MARGIN)
        pen.text((MARGIN, top + side // 2 - 16), f"{fitted(name, font)}\n{weight:.2f}", INK, font)
        moves = [{name: amount} for amount in np.linspace(-reach, reach, steps)]
        walk = edit(moved(model, found, moves, origin))
        shown = model.frames(walk, columns=steps, size=side, truncation=truncation, batch=batch)
        grid = convert(next(shown), 3)
        for i in range(len(seeds)):
            strip = grid.crop((0, i * side, steps * side, (i + 1) * side))
            sheet.paste(strip, (LEGEND + i * (steps * side + MARGIN), top))
    return sheet


def fitted(name: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """As much of a name as fits the legend."""
    shown = name
    while font.getlength(shown) > LEGEND - 2 * MARGIN:
        shown = shown.removesuffix("…")[:-1] + "…"
    return shown
