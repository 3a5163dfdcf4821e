"""Box arithmetic: float64 [N, 4], left, top, right, bottom in pixels from the picture's upper left corner."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float64]


def suppress(
    boxes: Boxes, scores: NDArray[np.floating[Any]], most: float, of: Literal["union", "smaller"]
) -> NDArray[np.intp]:
    """Return the indices of the boxes that survive non-maximum suppression, best first.

    most: the largest overlap with a better box, as a share of the area named by `of`: their union, or the smaller one.
    """
    order = np.argsort(-scores, kind="stable")
    sizes = boxes[:, 2:] - boxes[:, :2]
    areas = sizes[:, 0] * sizes[:, 1]
    kept = []
    while len(order):
        best, rest = order[0], order[1:]
        kept.append(best)
        common = np.minimum(boxes[best, 2:], boxes[rest, 2:]) - np.maximum(boxes[best, :2], boxes[rest, :2])
        shared = common.clip(0).prod(axis=1)
        whole = areas[best] + areas[rest] - shared if of == "union" else np.minimum(areas[best], areas[rest])
        order = rest[shared <= most * whole]
    return np.array(kept, dtype=np.intp)


def move(boxes: Boxes, by: NDArray[np.floating[Any]]) -> Boxes:
    """Return boxes whose edges are moved by `by` [N, 4], in units of their widths and heights."""
    return boxes + by * np.tile(boxes[:, 2:] - boxes[:, :2], 2)


def make_square(boxes: Boxes) -> Boxes:
    """Return squares around the same centres, with the longer sides as their sides."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    halves = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True) / 2
    return np.concatenate([centres - halves, centres + halves], axis=1)
