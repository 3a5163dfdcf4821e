"""Detect faces and their landmarks: MTCNN's cascade, then a closer, upright look at every face found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from growgan.core.errors import ModelError
from growgan.data.faces.boxes import Boxes, make_square, move, suppress
from growgan.data.faces.crop import glance
from growgan.data.faces.geometry import Crop, Points, find_crop, turn
from growgan.data.faces.mtcnn import STRIDE, WINDOW, output, propose, refine
from growgan.data.faces.refine import Refiner
from growgan.data.faces.weights import hash_weights, load_weights
from growgan.data.pictures import Rejected

THRESHOLDS = (0.6, 0.7, 0.7)
PYRAMID_STEP = 0.709
"""Scale from one size of the picture to the next: half the area, as in MTCNN's training."""
MOST_WINDOWS = 400
"""How many of the first network's windows, the best, are examined: a picture full of texture must not take forever."""

BOX_PER_CROP = 0.45
"""Side of MTCNN's face box, which ends at chin and forehead, over that of CelebA-HQ's crop; a low estimate."""
SMALLEST_BOX = 20.0
WORKING_CROP = 96.0
"""Side in pixels of the smallest wanted crop when it is searched: the last network sees 48 pixels of part of it."""

LOOKS = tuple((size, lowered) for size in (0.55, 0.65, 0.7) for lowered in (0.1, 0.15))
"""The closer looks: the side over the crop's, and how far below its centre, in half sides. Of 315 such choices this one
left the least scatter; further looks, turned, shifted or in other light, add nothing (docs/faces.md)."""
FIRST_LOOK = ((0.65, 0.1),)
MIRRORED = [1, 0, 2, 4, 3]


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """Landmarks [5, 2] as in `geometry`, and the probability, 0 to 1, that this is a face."""

    landmarks: Points
    confidence: float


class Detector:
    """Finds faces; may be used from several threads at once."""

    def __init__(self, smallest: float, weights: Path | None = None, refine: bool = True) -> None:
        """smallest: side in pixels of the smallest wanted crop. weights: a folder (`load_weights`).

        refine: whether landmarks are fitted to CelebA-HQ's framing (`Refiner`).
        """
        self._smallest = smallest
        self._refiner = Refiner.load() if refine else None
        self._pnet, self._rnet, self._onet = load_weights(weights)
        refiner = {} if self._refiner is None else self._refiner.tensors
        self.digest = hash_weights(self._pnet, self._rnet, self._onet, refiner)
        try:
            self._check()
        except (KeyError, RuntimeError) as error:
            raise ModelError(f"{weights}: not the weights of MTCNN's three networks") from error

    def detect(self, image: Image.Image) -> list[Face]:
        """Return the faces of an upright RGB picture, the most confident first."""
        image, scale = shrink(image, self._smallest)
        with torch.inference_mode():
            faces = self._run_cascade(image, max(self._smallest * scale * BOX_PER_CROP, SMALLEST_BOX))
            found = [Face(self._look_closer(image, face.landmarks), face.confidence) for face in faces]
        # Pixel centres are whole numbers, whatever the size of the picture.
        return [Face(_to_float32((face.landmarks + 0.5) / scale - 0.5), face.confidence) for face in found]

    def _run_cascade(self, image: Image.Image, smallest_box: float) -> list[Face]:
        boxes, scores = self._propose(image, smallest_box)
        kept = suppress(boxes, scores, 0.7, "union")[:MOST_WINDOWS]
        boxes = make_square(boxes[kept])
        if not len(boxes):
            return []
        found, moves = (_to_numpy(part) for part in refine(self._rnet, _cut_windows(image, boxes, WINDOW[1])))
        sure = found > THRESHOLDS[1]
        boxes, found, moves = boxes[sure], found[sure], moves[sure]
        kept = suppress(boxes, found, 0.7, "union")
        boxes = make_square(move(boxes[kept], moves[kept]))
        if not len(boxes):
            return []
        windows = _cut_windows(image, boxes, WINDOW[2])
        found, moves, points = (_to_numpy(part) for part in output(self._onet, windows))
        landmarks = points.reshape(-1, 2, 5).transpose(0, 2, 1) * (boxes[:, 2:] - boxes[:, :2])[:, None]
        landmarks += boxes[:, None, :2] - 0.5
        boxes = move(boxes, moves)
        sure = found > THRESHOLDS[2]
        kept = np.flatnonzero(sure)[suppress(boxes[sure], found[sure], 0.7, "smaller")]
        return [Face(_to_float32(landmarks[index]), float(found[index])) for index in kept]

    def _propose(self, image: Image.Image, smallest_box: float) -> tuple[Boxes, NDArray[np.float64]]:
        """Run the first network on the picture at all sizes, the largest first."""
        all_boxes, all_scores = [np.zeros((0, 4))], [np.zeros(0)]
        scale = WINDOW[0] / smallest_box
        while min(image.size) * scale >= WINDOW[0]:
            size = (round(image.width * scale), round(image.height * scale))
            small = image.resize(size, Image.Resampling.BILINEAR)
            scores, moves = (_to_numpy(part)[0] for part in propose(self._pnet, _to_input([np.asarray(small)])))
            rows, columns = np.nonzero(scores >= THRESHOLDS[0])
            corners = np.stack([columns, rows, columns, rows], axis=1) * float(STRIDE) + [0, 0, WINDOW[0], WINDOW[0]]
            boxes = corners * (np.tile(image.size, 2) / np.tile(size, 2))
            found = scores[rows, columns].astype(np.float64)
            kept = suppress(boxes, found, 0.5, "union")
            all_boxes.append(move(boxes, moves[:, rows, columns].T)[kept])
            all_scores.append(found[kept])
            scale *= PYRAMID_STEP
        return np.concatenate(all_boxes), np.concatenate(all_scores)

    def _look_closer(self, image: Image.Image, landmarks: Points) -> Points:
        """Return better landmarks: means over windows turned upright, at several positions, each also mirrored."""
        for places in (FIRST_LOOK, LOOKS):
            try:
                crop = find_crop(landmarks)
            except Rejected:
                return landmarks
            looks = [_Look(crop, *place) for place in places]
            pixels = [look.cut(image) for look in looks]
            points = _to_numpy(output(self._onet, _to_input([*pixels, *(part[:, ::-1] for part in pixels)]))[2])
            points = points.reshape(2, len(looks), 2, 5).transpose(0, 1, 3, 2)
            points[1, :, :, 0] = 1 - points[1, :, :, 0]
            means = (points[0] + points[1][:, MIRRORED]) / 2
            landmarks = np.mean([look.place(part) for look, part in zip(looks, means)], axis=0, dtype=np.float32)
        return landmarks if self._refiner is None else self._refiner(image, landmarks)

    def _check(self) -> None:
        with torch.inference_mode():
            propose(self._pnet, torch.zeros(1, 3, WINDOW[0], WINDOW[0]))
            refine(self._rnet, torch.zeros(1, 3, WINDOW[1], WINDOW[1]))
            output(self._onet, torch.zeros(1, 3, WINDOW[2], WINDOW[2]))


def shrink(image: Image.Image, smallest: float) -> tuple[Image.Image, float]:
    """Return the picture, shrunk as far as crops of at least `smallest` pixels allow, and the scale factor."""
    scale = min(1.0, WORKING_CROP / smallest)
    if scale < 1:
        size = (max(round(image.width * scale), 1), max(round(image.height * scale), 1))
        image = image.resize(size, Image.Resampling.BILINEAR, reducing_gap=3.0)
    return image, scale


class _Look:
    """A window of the last network that is turned like the face."""

    def __init__(self, crop: Crop, size: float, lowered: float) -> None:
        centre = crop.centre + turn(crop.half) * np.float32(lowered)
        self._crop = Crop(centre, crop.half * np.float32(size))
        self._corner = self._crop.quad[0]

    def cut(self, image: Image.Image) -> NDArray[np.uint8]:
        """Return the window's pixels [48, 48, 3], black beyond the picture."""
        return np.asarray(glance(image, self._crop, WINDOW[2]))

    def place(self, points: NDArray[np.float32]) -> Points:
        """Return points [5, 2] in units of the window as landmarks of the picture."""
        across, down = 2 * self._crop.half, 2 * turn(self._crop.half)
        placed: Points = self._corner + points[:, :1] * across + points[:, 1:] * down - np.float32(0.5)
        return placed


def _cut_windows(image: Image.Image, boxes: Boxes, side: int) -> Tensor:
    """Cut out boxes, black beyond the picture, and resize each to `side` pixels."""
    windows = []
    for left, top, right, bottom in boxes:
        x, y = int(np.floor(left)), int(np.floor(top))
        part = image.crop((x, y, int(np.ceil(right)), int(np.ceil(bottom))))
        box = (left - x, top - y, right - x, bottom - y)
        windows.append(np.asarray(part.resize((side, side), Image.Resampling.BILINEAR, box=box)))
    return _to_input(windows)


def _to_input(pictures: list[NDArray[np.uint8]]) -> Tensor:
    """Return uint8 pictures [H, W, 3] as the networks take them."""
    return (torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() - 127.5) / 128


def _to_numpy(tensor: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = tensor.numpy()
    return array


def _to_float32(values: NDArray[Any]) -> Points:
    points: Points = values.astype(np.float32)
    return points
