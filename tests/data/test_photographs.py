"""Single photographs: files, folders and archives, at one size, framed as their source says."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from growgan.core.errors import DataError
from growgan.data.photographs import read_photographs
from growgan.data.sources import Skipped


def make(path: Path, seed: int = 0, size: tuple[int, int] = (300, 200)) -> Path:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def test_a_source_stays_open_until_its_last_picture(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for number in range(20):
            archive.write(make(tmp_path / "one.png", number), f"{number:02d}.png")
    for _ in range(3):
        found = list(read_photographs([tmp_path / "all.zip"], 16, 3))
        assert [one[0] for one in found] == [f"{number:02d}.png" for number in range(20)]
        assert not any(isinstance(one, Skipped) for one in found)


def test_pixels_crops_and_channels(tmp_path: Path) -> None:
    path = make(tmp_path / "one.png")
    with Image.open(path) as picture:
        for crop, box in ((None, (50, 0, 250, 200)), ((10, 20, 110, 120), (10, 20, 110, 120))):
            wanted = np.asarray(picture.resize((32, 32), Image.Resampling.LANCZOS, box=box))
            ((name, pixels),) = read_photographs([path], 32, 3, crop)
            assert name == "one.png" and np.array_equal(pixels.transpose(1, 2, 0), wanted)
    ((_, grey),) = read_photographs([path], 32, 1)
    assert grey.shape == (1, 32, 32) and grey.dtype == np.uint8
    ((_, larger),) = read_photographs([path], 512, 3)  # a small one is enlarged
    assert larger.shape == (3, 512, 512)


def test_a_source_may_know_its_framing(tmp_path: Path) -> None:
    folder = tmp_path / "img_align_celeba"
    folder.mkdir()
    path = make(folder / "000001.jpg", size=(178, 218))
    (tmp_path / "list_attr_celeba.txt").write_text("1\nSmiling\n000001.jpg 1\n")
    ((_, own),) = read_photographs([tmp_path], 64, 3)
    ((_, same),) = read_photographs([path], 64, 3, (25, 57, 153, 185))
    ((_, middle),) = read_photographs([path], 64, 3)
    assert np.array_equal(own, same) and not np.array_equal(own, middle)


def test_what_is_none_is_said_in_its_turn(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"")
    (tmp_path / "b.txt").write_text("words")
    paths = [tmp_path / "a.jpg", make(tmp_path / "c.png"), tmp_path / "b.txt"]
    a, (name, _), b = read_photographs(paths, 16, 3)
    assert a == Skipped("a.jpg", "empty file") and name == "c.png" and b == Skipped("b.txt", "not a picture")
    with pytest.raises(DataError, match="no such file"):
        list(read_photographs([tmp_path / "none"], 16, 3))
