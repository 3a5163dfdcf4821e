"""The demo, shortened: the whole way on the embedded pictures, and what it leaves behind."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from making import make_nets, make_spec
from PIL import Image

from growgan.core import shipped
from growgan.data.dataset import open_dataset
from growgan.demo import dataset_path
from growgan.models.native import open_model, save_model


def test_embedded_set_is_whole():
    with open_dataset(dataset_path()) as dataset:
        assert dataset.resolution >= 32 and dataset.channels in (1, 3) and len(dataset) >= 2000
        pixels = dataset.images(range(len(dataset)), 32)
    assert pixels.std(axis=0).mean() > 20  # pictures that differ
    assert dataset_path().stat().st_size <= 8e6
    (terms,) = dataset_path().parent.glob(f"{dataset_path().stem}.*.txt")
    assert re.search("licen[cs]e", terms.read_text(encoding="utf-8"), re.IGNORECASE)


@pytest.mark.slow
def test_demo(growgan, tmp_path, monkeypatch):
    out = tmp_path / "demo"
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    save_model(tmp_path / "discs-16.safetensors", {"G_ema": make_nets(make_spec())[0]}, training={})
    result = growgan("demo", "--out", out, "--minutes", "0.1")
    assert result.status == 0, result
    named = [Path(line.rsplit(": ", 1)[1]) for line in result.out.splitlines()]
    assert [path.name for path in named[:1] + named[2:]] == ["reals.png", "growth.png", "losses.png", "discs-16.png"]
    for path in named:
        with Image.open(path) as picture:
            assert np.asarray(picture).std() > 0
    stages = sorted(path.name for path in (out / "models").glob("stage-*"))
    assert [open_model(out / "models" / name).training["resolution"] for name in stages] == [4, 8, 16, 32]
    assert growgan("demo", "--out", out).out == result.out  # finished: nothing is trained again


def test_refuses_nonsense(growgan, tmp_path):
    assert "--minutes" in growgan("demo", "--out", tmp_path / "x", "--minutes", "-1").refusal()
