"""The demo, shortened: the whole way on the embedded pictures, and what it leaves behind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from growgan.data.dataset import open_dataset
from growgan.demo import dataset_path
from growgan.models.native import open_model


def test_embedded_set_is_whole():
    with open_dataset(dataset_path()) as dataset:
        assert (dataset.resolution, dataset.channels, len(dataset), dataset.num_labels) == (32, 1, 3100, 10)
        assert np.bincount(dataset.labels).tolist() == [310] * 10
        pixels = dataset.images(range(len(dataset)), 32)
    assert pixels[:, :, :2].max() == 0  # the border that 28 pixels get
    assert pixels.std() > 50
    assert "MIT" in (dataset_path().parent / "fashion.LICENSE.txt").read_text(encoding="utf-8")


@pytest.mark.slow
def test_demo(growgan, tmp_path):
    out = tmp_path / "demo"
    result = growgan("demo", "--out", out, "--minutes", "0.05")
    assert result.status == 0, result
    named = [Path(line.rsplit(": ", 1)[1]) for line in result.out.splitlines()]
    assert [path.name for path in named[:1] + named[2:]] == ["reals.png", "growth.png", "losses.png"]
    for path in named:
        with Image.open(path) as picture:
            assert np.asarray(picture).std() > 0
    stages = sorted(path.name for path in (out / "models").glob("stage-*"))
    assert [open_model(out / "models" / name).training["resolution"] for name in stages] == [4, 8, 16, 32]
    assert growgan("demo", "--out", out).out == result.out  # finished: nothing is trained again


def test_refuses_nonsense(growgan, tmp_path):
    assert "--minutes" in growgan("demo", "--out", tmp_path / "x", "--minutes", "-1").refusal()
