"""Which square of a picture is used, and how large a set's pictures are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from growgan.core.errors import DataError
from growgan.core.geometry import LOWEST, is_size
from growgan.data.pictures import Rejected

Box = tuple[int, int, int, int]

LARGEST_BY_ITSELF = 1024


PADS = ("black", "white", "edge", "mirror")
"""What a picture is padded with; with an alpha channel, black and white become transparent pixels."""


@dataclass(frozen=True, slots=True)
class Framing:
    """The centre square of a picture, or of a box in it; or all of it, padded to a square.

    crop: left, top, right, bottom in pixels as Pillow counts them, or fractions if all are at most 1. pad: one of
    `PADS`.
    """

    crop: tuple[float, float, float, float] | None = None
    pad: str | None = None

    def __post_init__(self) -> None:
        if self.pad not in (None, *PADS):
            raise DataError(f"--pad {self.pad}: must be one of {', '.join(PADS)}")
        if self.crop is not None:
            left, top, right, bottom = self.crop
            if not (0 <= left < right < math.inf and 0 <= top < bottom < math.inf):
                raise DataError(
                    f"--crop {_join(self.crop)}: must be left, top, right, bottom with left < right, top < bottom"
                )

    def find_box(self, width: int, height: int) -> Box:
        """Return the box of an upright picture that is used, square unless the picture is to be padded.

        Raises `Rejected` if the crop lies outside the picture.
        """
        left, top, right, bottom = self._find_crop(width, height)
        if self.pad is not None:
            return left, top, right, bottom
        side = min(right - left, bottom - top)
        left += (right - left - side) // 2
        top += (bottom - top - side) // 2
        return left, top, left + side, top + side

    def describe(self) -> str:
        """Describe in a few words which part is used."""
        if self.pad is None:
            return "centre square" if self.crop is None else f"centre square of {_join(self.crop)}"
        part = "whole picture" if self.crop is None else _join(self.crop)
        return f"{part} padded to a square ({self.pad})"

    def _find_crop(self, width: int, height: int) -> Box:
        if self.crop is None:
            return 0, 0, width, height
        scale = (width, height) * 2 if max(self.crop) <= 1 else (1, 1) * 2
        left, top, right, bottom = (round(edge * unit) for edge, unit in zip(self.crop, scale))
        if right > width or bottom > height:
            raise Rejected(f"{width}x{height}, which does not contain the crop {_join(self.crop)}")
        if left == right or top == bottom:
            raise Rejected(f"{width}x{height}, and the crop {_join(self.crop)} leaves nothing of it")
        return left, top, right, bottom


def find_side(box: Box) -> int:
    """Return the side of the square that a box becomes."""
    return max(box[2] - box[0], box[3] - box[1])


def check_resolution(resolution: int) -> int:
    """Return `resolution`. Raises `DataError` unless it is a power of two of at least 4."""
    if not is_size(resolution):
        raise DataError(f"--resolution {resolution}: must be a power of two of at least {LOWEST}")
    return resolution


def choose_resolution(sides: Sequence[int]) -> int:
    """Return the largest power of two, at most 1024, that 9 of 10 of the squares' sides reach, and at least 4."""
    side = sorted(sides)[len(sides) // 10]
    return max(LOWEST, min(LARGEST_BY_ITSELF, 1 << (side.bit_length() - 1)))


def _join(crop: Sequence[float]) -> str:
    return ",".join(f"{edge:g}" for edge in crop)
