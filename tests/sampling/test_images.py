"""Bytes, grids and PNG files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from growgan.core.errors import RunError
from growgan.sampling.images import enlarge, make_grid, save_png, to_picture, to_uint8


def test_rounding() -> None:
    """clip(round(127.5 x + 127.5)): every level in its place, beyond the ends clipped."""
    exact = torch.arange(256) / 127.5 - 1
    assert to_uint8(exact.view(1, 1, 16, 16)).ravel().tolist() == list(range(256))
    x = torch.tensor([-9.0, -1.0, -0.9973, -0.9953, 0.0039, 0.0042, 1.0, 1.002, 9.0, float("inf")])
    assert to_uint8(x.view(1, 1, 1, -1)).ravel().tolist() == [0, 0, 0, 1, 128, 128, 255, 255, 255, 255]
    random = torch.randn((3, 2, 8, 8), dtype=torch.float64)
    plain = np.clip(np.round(127.5 * random.float().numpy() + np.float32(127.5)), 0, 255)
    found = to_uint8(random)
    assert found.dtype == np.uint8 and found.shape == (3, 2, 8, 8)
    assert np.array_equal(found, plain)


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (2, "RGB"), (3, "RGB"), (4, "RGBA"), (5, "RGB")])
def test_channels(channels: int, mode: str) -> None:
    pixels = np.arange(channels * 4, dtype=np.uint8).reshape(channels, 2, 2)
    picture = to_picture(pixels)
    shown = {2: pixels[[0, 0, 0]], 5: pixels[:3]}.get(channels, pixels)
    assert picture.mode == mode
    assert np.array_equal(np.asarray(picture).reshape(2, 2, -1), shown.transpose(1, 2, 0))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_grid(channels: int) -> None:
    pixels = np.random.RandomState(0).randint(1, 256, (5, channels, 64, 64)).astype(np.uint8)
    grid = np.asarray(make_grid(pixels, 3))
    assert grid.shape[:2] == (128, 192)
    for i in range(6):
        row, column = divmod(i, 3)
        cell = grid[row * 64 : row * 64 + 64, column * 64 : column * 64 + 64]
        assert np.array_equal(cell, np.asarray(to_picture(pixels[i])) if i < 5 else np.zeros_like(cell))


@pytest.mark.parametrize(
    ("size", "asked", "side"),
    [(4, None, 64), (16, None, 64), (64, None, 64), (128, None, 128), (16, 32, 32), (16, 8, 16)],
)
def test_small_pictures_are_enlarged(size: int, asked: int | None, side: int) -> None:
    pixels = np.random.RandomState(0).randint(0, 256, (2, 3, size, size)).astype(np.uint8)
    grid = np.asarray(make_grid(pixels, 2, asked))
    assert grid.shape == (side, 2 * side, 3)
    step = side // size
    for offset in {0, step - 1}:
        assert np.array_equal(grid[offset::step, offset::step], np.concatenate(pixels.transpose(0, 2, 3, 1), axis=1))


def test_notes_can_be_read_back(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.png"
    save_png(path, Image.new("RGB", (3, 2), (1, 2, 3)), {"seed": "7", "class": "Äpfel, 日本"})
    with Image.open(path) as picture:
        assert picture.info == {"growgan:seed": "7", "growgan:class": "Äpfel, 日本"}
        assert picture.size == (3, 2) and picture.getpixel((0, 0)) == (1, 2, 3)
    assert [entry.name for entry in path.parent.iterdir()] == ["a.png"]


def test_a_png_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot write"):
        save_png(tmp_path / "file" / "a.png", Image.new("L", (1, 1)))
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(("resolution", "factor"), [(4, 1), (8, 2), (32, 8), (2, 1)])
def test_enlarging_repeats_pixels(resolution: int, factor: int) -> None:
    pixels = np.random.RandomState(0).randint(0, 256, (2, 3, 4, 4), dtype=np.uint8)
    expected = np.kron(pixels, np.ones((factor, factor), dtype=np.uint8))
    assert np.array_equal(enlarge(pixels, resolution), expected)
