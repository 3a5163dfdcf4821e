"""Where CelebA-HQ's crop of a face lies (paper, appendix C; constants and half pixels as in the release).

Landmarks are float32 [5, 2]: the eye at the left of the picture, the eye at its right, the nose, the left and the right
corner of the mouth; each x, y in pixels whose centres are whole numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from growgan.data.pictures import Rejected

Points = NDArray[np.float32]

HALF_PER_EYES = 2.0
HALF_PER_HEIGHT = 1.8
LOWERED = 0.1
CELLS = 32


@dataclass(frozen=True, slots=True, eq=False)
class Crop:
    """A square that may be turned: its centre, and the vector from there to the middle of its right side, both [2].

    Pixels are counted from the picture's upper left corner. Float32, as in the release: otherwise its checksums would
    not be reproduced.
    """

    centre: Points
    half: Points

    @property
    def quad(self) -> Points:
        """The corners [4, 2]: upper left, lower left, lower right, upper right of the upright face."""
        c, x, y = self.centre, self.half, turn(self.half)
        return np.stack([c - x - y, c - x + y, c + x + y, c + x - y])

    @property
    def side(self) -> float:
        """The side in pixels."""
        return 2 * measure(self.half)

    @property
    def angle(self) -> float:
        """Rotation of the face in its picture in degrees clockwise, -180 to 180."""
        return float(np.degrees(np.arctan2(self.half[1], self.half[0])))

    def find_share_inside(self, width: int, height: int) -> float:
        """Return the share of the square that lies inside its picture, sampled at the centres of 32 x 32 cells."""
        middles = (2 * np.arange(CELLS, dtype=np.float32) + 1) / CELLS - 1
        points = self.centre + middles[:, None, None] * self.half + middles[None, :, None] * turn(self.half)
        inside = (points >= 0) & (points <= np.array([width, height]))
        return float(inside.all(axis=-1).mean())


def find_crop(landmarks: Points) -> Crop:
    """Return the crop for landmarks [5, 2].

    With eyes e0, e1 and corners of the mouth m0, m1: x' = e1 - e0, y' = (e0 + e1) / 2 - (m0 + m1) / 2; the centre is
    (e0 + e1) / 2 - 0.1 y', the side max(4.0 |x'|, 3.6 |y'|), and the upper edge lies along x' - rotate90(y'). Raises
    `Rejected` if the points are degenerate.
    """
    left_eye, right_eye, _, left_mouth, right_mouth = np.asarray(landmarks, dtype=np.float32)
    half_pixel = np.float32(0.5)
    eyes = (left_eye + right_eye) * np.float32(0.5) + half_pixel
    mouth = (left_mouth + right_mouth) * np.float32(0.5) + half_pixel
    across, down = right_eye - left_eye, mouth - eyes
    x = across - turn(down)
    length = measure(x)
    half_side = max(measure(across) * HALF_PER_EYES, measure(down) * HALF_PER_HEIGHT)
    if not (np.isfinite(half_side) and length > 0):
        raise Rejected("degenerate landmarks")
    return Crop(eyes + down * np.float32(LOWERED), x / np.float32(length) * np.float32(half_side))


def turn(vector: Points) -> Points:
    """Rotate a vector [2] by 90 degrees: one that points right in the picture then points down."""
    return np.stack([-vector[1], vector[0]])


def measure(vector: Points) -> float:
    """Return the length of a vector [2]."""
    return float(np.hypot(vector[0], vector[1]))
