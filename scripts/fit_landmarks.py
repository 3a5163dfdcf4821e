"""Fit the map of `growgan.data.faces.refine`, and report how close to CelebA-HQ's framing it brings the detector.

    python scripts/fit_landmarks.py PICTURES [--also OTHERS ...] [--out refine.safetensors]

PICTURES are pictures of CelebA-HQ, in any form that `growgan data build` takes. Aligned again, nothing should change;
what does change is what the map learns to undo, in windows of several sharpnesses, some blurred, noisy or compressed,
each also moved a little and mirrored. Every fifth picture is held out from the fit: the last lines report on these
alone, and on each of OTHERS, with the detector's landmarks unchanged and with the map.
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageFilter

from growgan.core.progress import Progress
from growgan.data.faces.align import one_thread_each, open_upright
from growgan.data.faces.detect import Detector, shrink
from growgan.data.faces.geometry import Crop, Points, find_crop
from growgan.data.faces.refine import FEATURES, FILE, MIRRORED, Refiner, cut, describe, find_offset, move
from growgan.data.parallel import map_ordered
from growgan.data.pictures import strict_pillow
from growgan.data.sources import Record, Skipped, open_source
from growgan.models.native import write_tensors

HELD_OUT = 5
NEAR = 0.02
USUAL, LEAST = 0.5, 1.0
"""Smallest crop wanted, relative to the crop: the detector works on pictures as small as it allows."""
SAMPLES, SHARPEST = 3, 0.4
"""Samples per face, not counting mirrored ones, each as sharp as for a smallest crop drawn from SHARPEST to LEAST.

If it were always the same, the map could learn how far a window's pixels are from the picture's.
"""
MOVED = (0.003, 0.003, 0.012, 0.008)
"""Standard deviations by which a face is moved before it is described, in the units of `move`."""
FAULTY = 0.1
"""A crop that is off by more than this, in the logarithm of its side, was annotated wrongly or is of another face."""
RIDGE = 0.0125
"""Weight of the squared coefficients, per sample."""
CARD = {
    "what": "ridge regression from gradients around a face to the offset of CelebA-HQ's crop",
    "trained_on": "CelebA-HQ at 512x512",
    "licence": "for non-commercial research, after the terms of CelebA and CelebA-HQ",
}

Array = np.ndarray[Any, np.dtype[Any]]


class Seen(NamedTuple):
    """A picture as the detector sees it, the landmarks of its largest face, and the crop that it represents."""

    image: Image.Image
    landmarks: Points
    wanted: Crop


class Normal:
    """The normal equations of the regression, accumulated."""

    def __init__(self) -> None:
        self.count = 0
        self._products = np.zeros((FEATURES + 1, FEATURES + 1))
        self._targets = np.zeros((FEATURES + 1, 4))

    def add(self, features: Array, offsets: Array) -> None:
        """Add samples: [N, FEATURES] and [N, 4]."""
        rows = np.concatenate([features, np.ones((len(features), 1), np.float32)], axis=1)
        self._products += rows.T @ rows
        self._targets += rows.T @ offsets
        self.count += len(rows)

    def solve(self) -> Refiner:
        """The map; its bias is not regularised."""
        ridge = np.diag(np.append(np.full(FEATURES, RIDGE * self.count), 0))
        found = np.linalg.solve(self._products + ridge, self._targets).astype(np.float32)
        return Refiner(found[:-1], found[-1])


def look(path: Path) -> Iterator[tuple[Image.Image, Points]]:
    """Every whole picture with a face, and the detector's landmarks of the largest face."""
    detectors: dict[int, Detector] = {}

    def find(item: Record | Skipped) -> tuple[Image.Image, Points] | None:
        if isinstance(item, Skipped):
            return None
        image = open_upright(item.read())
        if image.width not in detectors:
            detectors[image.width] = Detector(image.width * USUAL, refine=False)
        faces = [face.landmarks for face in detectors[image.width].detect(image)]
        return (image, max(faces, key=lambda points: find_crop(points).side)) if faces else None

    with strict_pillow(), one_thread_each(), open_source(path) as pictures:
        bar = Progress(pictures.count, f"looking at {path}")
        for one in map_ordered(find, pictures):
            bar.advance()
            if one is not None:
                yield one
        bar.close()


def see(image: Image.Image, landmarks: Points, smallest: float = USUAL) -> Seen:
    """The same face in a picture as small as a smallest crop allows. smallest: that crop, relative to the crop."""
    small, scale = shrink(image, image.width * smallest)
    half = np.float32(image.width * scale / 2)
    points = ((landmarks + 0.5) * scale - 0.5).astype(np.float32)
    return Seen(small, points, Crop(np.array([half, half]), np.array([half, 0], np.float32)))


def spoil(pixels: Array, random: np.random.Generator) -> Array:
    """Half of all windows blurred, noisy or compressed."""
    kind = random.integers(6)
    if kind == 0:
        return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(random.uniform(0.4, 1.2))))
    if kind == 1:
        noisy = pixels + random.normal(0, random.uniform(2, 8), pixels.shape)
        return np.clip(noisy, 0, 255).astype(np.uint8)
    if kind == 2:
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG", quality=int(random.integers(30, 90)))
        return np.asarray(Image.open(buffer))
    return pixels


def sample(image: Image.Image, landmarks: Points, random: np.random.Generator) -> tuple[Array, Array]:
    """Features and offsets of one face, where it was found and then moved, each also mirrored."""
    features, offsets = [], []
    for number in range(SAMPLES):
        seen = see(image, landmarks, random.uniform(SHARPEST, LEAST))
        away = random.normal(0, MOVED).astype(np.float32) if number else np.zeros(4, np.float32)
        crop = find_crop(move(seen.landmarks, find_crop(seen.landmarks), away))
        pixels = spoil(cut(seen.image, crop), random)
        offset = find_offset(crop, seen.wanted)
        features += [describe(pixels), describe(pixels[:, ::-1])]
        offsets += [offset, offset * MIRRORED]
    return np.stack(features), np.stack(offsets)


def fit(path: Path) -> tuple[Refiner, list[Seen], list[Seen]]:
    """The map, and the held-out pictures: with faces twice as large as the smallest wanted, and as small as that."""
    normal, held_out, small = Normal(), [], []
    for index, (image, landmarks) in enumerate(look(path)):
        if index % HELD_OUT == 0:
            held_out.append(see(image, landmarks))
            small.append(see(image, landmarks, LEAST))
        elif abs(np.log(find_crop(landmarks).side / image.width)) < FAULTY:
            normal.add(*sample(image, landmarks, np.random.default_rng(index)))
    print(f"fitted to {normal.count:,} samples")
    return normal.solve(), held_out, small


def tell(name: str, pictures: list[Seen], refiner: Refiner | None) -> None:
    """Print crop errors, in hundredths of the side and in degrees: medians and, in brackets, 95th percentiles."""
    rows = []
    for image, landmarks, wanted in pictures:
        crop = find_crop(landmarks if refiner is None else refiner(image, landmarks))
        rows.append((*((crop.centre - wanted.centre) / wanted.side), crop.side / wanted.side - 1, crop.angle))
    table = np.array(rows)
    offset, side, angle = np.hypot(table[:, 0], table[:, 1]), np.abs(table[:, 2]), np.abs(table[:, 3])
    print(f"{name}: {len(table):,} pictures")
    for title, values in (("centre off by", 100 * offset), ("side differs by", 100 * side), ("angle", angle)):
        print(f"  {title} {np.median(values):.2f} ({np.percentile(values, 95):.2f})")
    right, down, larger = 100 * np.median(table[:, :3], axis=0)
    print(
        f"  bias: {right:+.2f} right, {down:+.2f} down, side {larger:+.2f}; its deviation {100 * table[:, 2].std():.2f}"
    )
    near = (offset < NEAR, side < NEAR, np.maximum(offset, side) < NEAR)
    shares = (f"{title} {part.mean():.1%}" for title, part in zip(("centre", "side", "both"), near))
    print(f"  within {NEAR:.0%}: {', '.join(shares)}")


def main() -> None:
    """Fit, write, and report."""
    parser = argparse.ArgumentParser(description="Fit the detector's landmarks to CelebA-HQ's framing.")
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--also", type=Path, nargs="*", default=[], metavar="OTHERS", help="more datasets to report")
    parser.add_argument("--out", type=Path, default=FILE)
    args = parser.parse_args()
    refiner, held_out, small = fit(args.pictures)
    write_tensors(args.out, refiner.tensors, {"card": json.dumps(CARD)})
    sets = {"held out": held_out, "held out, small": small} | {
        str(path): [see(*one) for one in look(path)] for path in args.also
    }
    for name, pictures in sets.items():
        tell(f"{name}, as detected", pictures, None)
        tell(f"{name}, refined", pictures, refiner)


if __name__ == "__main__":
    main()
