"""Drawn faces: their landmarks are known, since they were drawn from them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

FRONTAL = np.array([[-1, -1], [1, -1], [0, 0.1], [-0.8, 1], [0.8, 1]])
"""Landmarks around the middle of the face, in halves of the distance of the eyes."""


def place(x: float, y: float, half: float, degrees: float = 0.0) -> Any:
    """Landmarks [5, 2] of a face around (x, y), its eyes 2 * half apart, turned clockwise."""
    angle = math.radians(degrees)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    return (FRONTAL * half @ turn + [x, y]).astype(np.float32)


def draw(size: tuple[int, int], *faces: Any, seed: int = 0) -> Image.Image:
    """Textured ground with a disc on every landmark: eyes red, nose green, corners of the mouth blue."""
    noise = np.random.default_rng(seed).integers(60, 200, (*size[::-1], 3), dtype=np.uint8)
    image = Image.fromarray(noise).filter(ImageFilter.GaussianBlur(0.7))
    pen = ImageDraw.Draw(image)
    for points in faces:
        radius = float(np.hypot(*(points[1] - points[0]))) / 8
        for point, colour in zip(points + 0.5, ("red", "red", "lime", "blue", "blue")):
            pen.ellipse([*(point - radius), *(point + radius)], fill=colour)
    return image


def find_colour(image: Image.Image, colour: tuple[int, int, int]) -> Any:
    """The middle of all that has a colour, as x, y from the corner."""
    near = np.abs(np.asarray(image, int) - colour).sum(-1) < 120
    rows, columns = np.nonzero(near)
    return np.array([columns.mean() + 0.5, rows.mean() + 0.5])


def write_list(path: Path, landmarks: dict[str, Any]) -> Path:
    """CelebA's list of landmarks."""
    names = "lefteye_x lefteye_y righteye_x righteye_y nose_x nose_y leftmouth_x leftmouth_y rightmouth_x rightmouth_y"
    rows = [f"{name} {' '.join(f'{value:.3f}' for value in points.ravel())}" for name, points in landmarks.items()]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([str(len(rows)), names, *rows, ""]))
    return path
