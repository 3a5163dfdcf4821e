"""The step from the detector's landmarks to CelebA-HQ's framing: its gradients, what it moves, and how it is fitted."""

from __future__ import annotations

import importlib.util
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_faces import draw, place
from PIL import Image, ImageOps
from safetensors import safe_open

from growgan.data.faces import refine
from growgan.data.faces.geometry import Crop, find_crop
from growgan.data.faces.refine import BINS, CELL, FAINT, FEATURES, FILE, LIMITS, SIDE, Refiner, cut, describe, move

SCRIPT = Path(__file__).parents[3] / "scripts" / "fit_landmarks.py"


def describe_slowly(pixels: Any) -> Any:
    """The same histograms, pixel by pixel."""
    cells = SIDE // CELL
    grey = pixels.mean(axis=-1) / 255
    histograms = np.zeros((cells, cells, BINS))
    for y in range(SIDE):
        for x in range(SIDE):
            across = grey[y, x + 1] - grey[y, x - 1] if 0 < x < SIDE - 1 else 0.0
            down = grey[y + 1, x] - grey[y - 1, x] if 0 < y < SIDE - 1 else 0.0
            turns = math.atan2(down, across) / (2 * math.pi) % 1 * BINS
            first = int(turns) % BINS
            length = math.hypot(across, down)
            histograms[y // CELL, x // CELL, first] += length * (1 - turns % 1)
            histograms[y // CELL, x // CELL, (first + 1) % BINS] += length * (turns % 1)
    shares = np.zeros_like(histograms)
    for y in range(cells):
        for x in range(cells):
            near = [
                (min(max(y + b, 0), cells - 1), min(max(x + a, 0), cells - 1)) for a in (-1, 0, 1) for b in (-1, 0, 1)
            ]
            energy = sum((histograms[place] ** 2).sum() for place in near)
            shares[y, x] = np.sqrt(histograms[y, x] / math.sqrt(energy + FAINT))
    return shares.ravel()


def test_gradients() -> None:
    pixels = np.asarray(draw((SIDE, SIDE), place(32, 30, 12), seed=3))
    found = describe(pixels)
    assert found.shape == (FEATURES,) and found.dtype == np.float32
    assert found == pytest.approx(describe_slowly(pixels), abs=1e-3)
    assert describe(np.full((SIDE, SIDE, 3), 200, np.uint8)) == pytest.approx(np.zeros(FEATURES))


def test_light_and_contrast_do_not_matter() -> None:
    pixels = np.asarray(draw((SIDE, SIDE), place(32, 30, 12), seed=3))
    dim = (pixels * 0.5 + 60).round().astype(np.uint8)
    assert np.abs(describe(dim) - describe(pixels)).mean() < 0.01


@pytest.mark.parametrize("degrees", [0, 30, -170])
def test_a_face_is_moved_as_a_whole(degrees: float) -> None:
    landmarks = place(300, 200, 20, degrees)
    crop = find_crop(landmarks)
    moved = move(landmarks, crop, np.array([0.02, -0.01, math.log(1.05), math.radians(4)], np.float32))
    found = find_crop(moved)
    assert found.side == pytest.approx(1.05 * crop.side, rel=1e-4)
    assert found.angle == pytest.approx(degrees + 4, abs=1e-3)
    axes = crop.half / (crop.side / 2), np.array([-crop.half[1], crop.half[0]]) / (crop.side / 2)
    wanted = crop.centre + crop.side * (0.02 * axes[0] - 0.01 * axes[1])
    assert found.centre == pytest.approx(wanted, abs=1e-2)
    assert refine.find_offset(crop, found) == pytest.approx([0.02, -0.01, math.log(1.05), math.radians(4)], abs=1e-4)
    shape = np.linalg.norm(moved[:, None] - moved, axis=-1) / np.linalg.norm(
        landmarks[:, None] - landmarks + 1e-9, axis=-1
    )
    assert shape[~np.eye(5, dtype=bool)] == pytest.approx(1.05, rel=1e-3)


def test_no_map_moves_nothing_and_a_wild_one_little() -> None:
    image, landmarks = draw((200, 200), place(100, 95, 24)), place(100, 95, 24)
    nothing = Refiner(np.zeros((FEATURES, 4), np.float32), np.zeros(4, np.float32))
    assert nothing(image, landmarks) == pytest.approx(landmarks, abs=1e-3)
    wild = Refiner(np.zeros((FEATURES, 4), np.float32), np.array([0, 9, 9, 0], np.float32))
    crop, found = find_crop(landmarks), find_crop(wild(image, landmarks))
    assert refine.find_offset(crop, found) == pytest.approx([0, LIMITS[1], LIMITS[2], 0], abs=1e-4)
    span = np.ones((5, 2), np.float32)
    assert np.array_equal(wild(image, span), span)


def test_a_mirrored_face_is_moved_likewise() -> None:
    random = np.random.default_rng(1)
    some = Refiner(random.normal(0, 1e-3, (FEATURES, 4)).astype(np.float32), np.full(4, 0.01, np.float32))
    landmarks = place(104, 95, 24)
    image = draw((201, 200), landmarks, seed=2)
    turned = landmarks[[1, 0, 2, 4, 3]] * [-1, 1] + [200, 0]
    moved = some(image, landmarks)
    assert np.abs(moved - landmarks).max() > 0.1
    mirrored = some(ImageOps.mirror(image), turned.astype(np.float32))
    assert mirrored[[1, 0, 2, 4, 3]] * [-1, 1] + [200, 0] == pytest.approx(moved, abs=0.05)


def test_the_shipped_map() -> None:
    """It is whole, says whence it comes, and moves a plain face by little."""
    shipped = Refiner.load()
    assert shipped.weights.shape == (FEATURES, 4) and shipped.bias.shape == (4,)
    assert np.isfinite(shipped.weights).all() and 0 < np.abs(shipped.weights).max() < 0.1
    with safe_open(FILE, framework="np") as file:
        card = json.loads(file.metadata()["card"])
    assert "CelebA-HQ" in card["trained_on"] and "non-commercial" in card["licence"]
    assert "CelebA-HQ" in FILE.with_name("refine.LICENSE.txt").read_text()
    landmarks = place(100, 95, 24)
    offset = refine.find_offset(
        find_crop(landmarks), find_crop(shipped(Image.new("RGB", (200, 200), "grey"), landmarks))
    )
    assert (np.abs(offset) <= LIMITS + 1e-4).all()


@pytest.fixture
def script() -> Any:
    if not SCRIPT.exists():
        pytest.skip("there are no scripts beside these tests")
    spec = importlib.util.spec_from_file_location("fit_landmarks", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_script_finds_a_map(script: Any) -> None:
    """Of faces that are drawn larger or smaller than they are said to be it learns to tell."""
    random = np.random.default_rng(0)

    def see(number: int) -> Any:
        """A face whose crop is the picture, and landmarks that are a little off."""
        half = 96 / 4
        landmarks = place(96, 96 - 0.1 * 2 * half, half)
        true = find_crop(landmarks)
        off = move(landmarks, true, random.normal(0, [0.005, 0.005, 0.03, 0.01]).astype(np.float32))
        return script.Seen(draw((192, 192), landmarks, seed=number), off, true)

    normal = script.Normal()
    for number in range(150):
        seen = see(number)
        crop = find_crop(seen.landmarks)
        pixels = cut(seen.image, crop)
        offset = refine.find_offset(crop, seen.wanted)
        normal.add(
            np.stack([describe(pixels), describe(pixels[:, ::-1])]), np.stack([offset, offset * refine.MIRRORED])
        )
    refiner = normal.solve()
    before, after = [], []
    for number in range(1000, 1030):
        seen = see(number)
        crop = find_crop(seen.landmarks)
        before.append(abs(math.log(crop.side / seen.wanted.side)))
        after.append(abs(math.log(find_crop(refiner(seen.image, seen.landmarks)).side / seen.wanted.side)))
    assert np.mean(after) < 0.5 * np.mean(before)


def test_samples_of_the_script_are_what_the_map_sees(script: Any) -> None:
    """Untouched, the first sample of a face has the offset that leads to the true crop."""
    image = draw((512, 512), place(250, 230, 60), seed=1)
    features, offsets = script.sample(image, place(250, 230, 60), np.random.default_rng(0))
    assert features.shape == (6, FEATURES) and offsets.shape == (6, 4)
    crop = find_crop(place(250, 230, 60))
    whole = Crop(np.array([256, 256], np.float32), np.array([256, 0], np.float32))
    assert offsets[0] == pytest.approx(refine.find_offset(crop, whole), abs=1e-4)
    assert offsets[1] == pytest.approx(offsets[0] * refine.MIRRORED)
