"""From a picture and a crop to the upright face, as in CelebA-HQ's release.

Shrink, cut out, enlarge, pad beyond the edges, turn: the order, the filters and every rounding are those of the
release, with `resolution` in place of 1024, so that its checksums are reproduced with its versions of Pillow and
libjpeg.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
from PIL import Image

from growgan.data.faces.geometry import Crop
from growgan.data.faces.padding import continue_beyond_edges
from growgan.data.pictures import Rejected

BORDER = 0.1
"""Kept around the crop during processing, as a share of its side; `LEAST_PADDING` and `BLUR` are such shares too."""
LEAST_BORDER = 3
LEAST_PADDING = 0.3
BLUR = 0.02
SUPERSAMPLING = 4


class Enhance(Protocol):
    """A network's improvement of the part of a picture that matters, before plain resampling does the rest."""

    def __call__(self, image: Image.Image, zoom: float) -> Image.Image:
        """Return the RGB picture cleaned, possibly enlarged by an integer factor. zoom: the factor still needed."""


def crop_face(image: Image.Image, crop: Crop, resolution: int, enhance: Enhance | None = None) -> Image.Image:
    """Return the RGB face, resolution x resolution, from an upright RGB picture. Raises `Rejected` if outside it."""
    work = _Work(image, crop, resolution)
    work.shrink()
    work.cut_out()
    if enhance is not None:
        work.enhance(enhance)
    work.enlarge()
    work.pad()
    return work.turn_upright()


def glance(image: Image.Image, crop: Crop, side: int) -> Image.Image:
    """Return the crop quickly, `side` pixels wide and high, black beyond the picture; every pixel of it contributes."""
    times = max(1, round(crop.side / side))
    corners = [float(value) for value in crop.quad.ravel()]
    size = (side * times, side * times)
    return image.transform(size, Image.Transform.QUAD, corners, Image.Resampling.BILINEAR).reduce(times)


class _Work:
    """A picture being processed; `zoom` is the enlargement still needed."""

    def __init__(self, image: Image.Image, crop: Crop, resolution: int) -> None:
        self.image = image
        self.quad = crop.quad
        self.resolution = resolution
        self.zoom = resolution / crop.side

    def shrink(self) -> None:
        """Reduce a large picture to 2 to 4 times the target resolution."""
        factor = math.floor(0.5 / self.zoom)
        if factor > 1:
            width, height = (max(round(side / factor), 1) for side in self.image.size)
            self.image = self.image.resize((width, height), Image.Resampling.LANCZOS)
            self.quad /= np.float32(factor)
            self.zoom *= factor
        # In pixels at this point: the release enlarges the picture afterwards, but not this border.
        self.border = max(round(self.resolution * BORDER / self.zoom), LEAST_BORDER)

    def cut_out(self) -> None:
        """Keep the crop's bounding box and a border."""
        left, top, right, bottom = self._find_bounds()
        width, height = self.image.size
        box = (
            max(left - self.border, 0),
            max(top - self.border, 0),
            min(right + self.border, width),
            min(bottom + self.border, height),
        )
        if box[0] >= box[2] or box[1] >= box[3]:
            raise Rejected("the face is outside the picture")
        if box[2] - box[0] < width or box[3] - box[1] < height:
            self.image = self.image.crop(box)
            self.quad -= np.array(box[:2], np.float32)

    def enhance(self, enhance: Enhance) -> None:
        """Let a network improve what is left of the picture."""
        better = enhance(self.image, self.zoom)
        self._scale(better.width // self.image.width)
        self.image = better

    def enlarge(self) -> None:
        """Enlarge by the smallest sufficient power of two: the release's stand-in for super-resolution."""
        factor = 2 ** math.ceil(math.log2(self.zoom)) if self.zoom > 1 else 1
        if factor > 1:
            size = (self.image.width * factor, self.image.height * factor)
            self.image = self.image.resize(size, Image.Resampling.LANCZOS)
            self._scale(factor)

    def pad(self) -> None:
        """Pad the picture if the crop comes near its edges or extends beyond them."""
        left, top, right, bottom = self._find_bounds()
        width, height = self.image.size
        wanted = [max(overhang + self.border, 0) for overhang in (-left, -top, right - width, bottom - height)]
        if max(wanted) <= self.border - 4:
            return
        least = round(LEAST_PADDING * self.resolution / self.zoom)
        padding = [max(pixels, least) for pixels in wanted]
        self.image = continue_beyond_edges(self.image, padding, BLUR * self.resolution / self.zoom)
        self.quad += np.array(padding[:2], np.float32)

    def turn_upright(self) -> Image.Image:
        """Sample the crop bilinearly at four times the target resolution, and shrink the result."""
        fine = self.resolution * SUPERSAMPLING
        corners = [float(value) for value in (self.quad + np.float32(0.5)).ravel()]
        image = self.image.transform((fine, fine), Image.Transform.QUAD, corners, Image.Resampling.BILINEAR)
        return image.resize((self.resolution, self.resolution), Image.Resampling.LANCZOS)

    def _find_bounds(self) -> tuple[int, int, int, int]:
        (left, top), (right, bottom) = np.floor(self.quad.min(axis=0)), np.ceil(self.quad.max(axis=0))
        return int(left), int(top), int(right), int(bottom)

    def _scale(self, factor: int) -> None:
        self.quad *= np.float32(factor)
        self.zoom /= factor
