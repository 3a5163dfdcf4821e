"""A last step towards CelebA-HQ's framing: a linear map from gradients around eyes and mouth to the remaining error.

MTCNN's last network sees 48 x 48 pixels, and all its looks at one face share the same error. Histograms of oriented
gradients (Dalal and Triggs 2005), and a ridge regression from these to the crop that CelebA's annotations give, recover
some of what it misses: one step of supervised descent (Xiong and De la Torre 2013). `scripts/fit_landmarks.py` fits the
map.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from growgan.data.faces.crop import glance
from growgan.data.faces.geometry import Crop, Points, find_crop, turn
from growgan.data.pictures import Rejected

Values = NDArray[np.float32]

FILE = Path(__file__).with_name("refine.safetensors")
"""The map that is used; its licence is refine.LICENSE.txt, next to it."""
TERMS = (
    "landmarks are refined to CelebA-HQ's framing with coefficients licensed for non-commercial research only;"
    " use --no-refine to skip this"
)
"""Shown to everyone who uses the map."""

SIDE = 64
"""Side in pixels of the window that is described; `SIZE` is its side over the crop's, `LOWERED` its offset in half
sides of the crop."""
SIZE, LOWERED = 0.45, 0.12
"""Eyes and mouth, no more: with 0.36 and 0.4, as many pictures were framed right; with 0.5 and 0.6, a tenth fewer."""
CELL, BINS = 4, 8
FEATURES = BINS * (SIDE // CELL) ** 2
FAINT = 1e-3
"""Gradients weaker than this, in units of white, are not amplified."""
LIMITS = np.array([0.03, 0.03, 0.1, 0.1], np.float32)
"""No face is moved further: the map was fitted to differences of this size."""
MIRRORED = np.array([-1, 1, 1, -1], np.float32)


class Refiner:
    """Moves landmarks so that the crop lies where CelebA-HQ's would."""

    def __init__(self, weights: Values, bias: Values) -> None:
        """weights: [FEATURES, 4]. bias: [4]. Together they map features to the offset of `move`."""
        self.weights, self.bias = weights, bias

    @classmethod
    def load(cls, path: Path = FILE) -> Refiner:
        """Return the refiner stored in a file."""
        tensors = load_file(path)
        return cls(tensors["weights"].numpy(), tensors["bias"].numpy())

    @property
    def tensors(self) -> dict[str, Tensor]:
        """Its weights and bias, as stored in a file."""
        return {"weights": torch.from_numpy(self.weights), "bias": torch.from_numpy(self.bias)}

    def __call__(self, image: Image.Image, landmarks: Points) -> Points:
        """Return the landmarks [5, 2] of an RGB picture, moved; degenerate ones are returned unchanged."""
        try:
            crop = find_crop(landmarks)
        except Rejected:
            return landmarks
        pixels = cut(image, crop)
        found, mirrored = (describe(part) @ self.weights + self.bias for part in (pixels, pixels[:, ::-1]))
        return move(landmarks, crop, np.clip((found + mirrored * MIRRORED) / 2, -LIMITS, LIMITS))


def cut(image: Image.Image, crop: Crop) -> NDArray[np.uint8]:
    """Return the pixels [SIDE, SIDE, 3] around eyes and mouth, black beyond the picture."""
    window = Crop(crop.centre + turn(crop.half) * np.float32(LOWERED), crop.half * np.float32(SIZE))
    return np.asarray(glance(image, window, SIDE))


def describe(pixels: NDArray[np.uint8]) -> Values:
    """Return histograms of gradients [FEATURES]: `BINS` directions in each cell, as the square root of their share.

    Each pixel's gradient is split between the two nearest directions. A cell's histogram is divided by the norm of
    those of the 3 x 3 cells around it, so that light and contrast do not matter.
    """
    grey = pixels.astype(np.float32).mean(axis=-1) / 255
    across, down = np.zeros_like(grey), np.zeros_like(grey)
    across[:, 1:-1] = grey[:, 2:] - grey[:, :-2]
    down[1:-1] = grey[2:] - grey[:-2]
    length = np.hypot(across, down)
    direction = np.arctan2(down, across) / (2 * np.pi) * BINS
    lower = np.floor(direction)
    share = direction - lower
    cells = SIDE // CELL
    rows, columns = np.indices(grey.shape) // CELL
    places = (rows * cells + columns) * BINS
    counts = np.zeros(FEATURES)
    for which, part in ((lower, 1 - share), (lower + 1, share)):
        index = places + which.astype(np.intp) % BINS
        counts += np.bincount(index.ravel(), (length * part).ravel(), FEATURES)
    histograms = counts.reshape(cells, cells, BINS)
    energy = np.pad((histograms**2).sum(axis=-1), 1, mode="edge")
    around = sum(energy[y : y + cells, x : x + cells] for y in range(3) for x in range(3))
    shares: Any = np.sqrt(histograms / np.sqrt(around + FAINT)[..., None])
    features: Values = shares.astype(np.float32).ravel()
    return features


def move(landmarks: Points, crop: Crop, offset: Values) -> Points:
    """Return landmarks moved, scaled and turned as a whole about the crop's centre, so that they lead to another crop.

    offset: [4], right and down along the crop's axes in units of its side, the logarithm of the new side over the old,
    radians clockwise.
    """
    right, down, growth, angle = offset
    turned = np.cos(angle) * crop.half + np.sin(angle) * turn(crop.half)
    across = np.exp(growth) * turned / np.hypot(*crop.half)
    axis = crop.half / np.hypot(*crop.half)
    # Landmarks count from a pixel's centre, which is half a pixel from the corner that crops count from.
    apart = landmarks + np.float32(0.5) - crop.centre
    x, y = apart @ axis, apart @ turn(axis)
    centre = crop.centre + 2 * (right * crop.half + down * turn(crop.half))
    moved = centre + x[:, None] * across + y[:, None] * turn(across) - np.float32(0.5)
    result: Points = moved.astype(np.float32)
    return result


def find_offset(crop: Crop, wanted: Crop) -> Values:
    """Return the offset by which `move` turns one crop into another."""
    axis = crop.half / np.hypot(*crop.half)
    apart = (wanted.centre - crop.centre) / crop.side
    turned = wanted.half @ np.stack([axis, turn(axis)], axis=1)
    offset = [apart @ axis, apart @ turn(axis), np.log(wanted.side / crop.side), np.arctan2(turned[1], turned[0])]
    return np.array(offset, np.float32)
