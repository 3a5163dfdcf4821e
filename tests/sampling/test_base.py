"""A model in a notebook: what it shows, and what it says."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from growgan.sampling.images import round_array, to_uint8
from growgan.sampling.model import Model

MakeModel = Callable[..., Model]


@pytest.mark.parametrize(
    ("fields", "shape", "size"),
    [
        ({}, (8, 2), (512, 128)),
        ({"channels": 1, "num_labels": 3}, (8, 2), (512, 128)),
        ({"resolution": 256, "fmap_max": 2}, (4, 1), (1024, 256)),
        ({"resolution": 512, "fmap_max": 2}, (3, 1), (768, 256)),
    ],
)
def test_a_notebook_shows_the_first_seeds(
    make_model: MakeModel, fields: dict[str, Any], shape: tuple[int, int], size: tuple[int, int]
) -> None:
    model = make_model(**fields)
    with Image.open(io.BytesIO(model._repr_png_())) as picture:
        assert picture.size == size
        shown = np.asarray(picture)
    columns, rows = shape
    side = size[0] // columns
    for cell in (1, columns * rows - 1):
        row, column = divmod(cell, columns)
        tile = shown[row * side : (row + 1) * side, column * side : (column + 1) * side]
        (whole,) = model.sample(1, seed=cell)
        wanted = np.asarray(whole.resize((side, side), Image.Resampling.BOX))
        assert np.abs(tile.astype(int) - wanted).max() <= 2 and tile.std() > 5
    assert model._repr_png_() == model._repr_png_()


def test_a_model_says_what_it_is(make_model: MakeModel) -> None:
    text = repr(make_model(num_labels=3, training={"resolution": 8, "alpha": 0.25, "nimg": 1500}))
    assert text.startswith("<Model ") and text.endswith(
        "model.safetensors: 8x8, alpha 0.25, trained for 1.5 kimg, 3 classes>"
    )
    assert "attributes" in repr(make_model(num_labels=2, multi_label=True)) and "class" not in repr(make_model())


def test_arrays_are_rounded_as_tensors_are() -> None:
    import torch

    x = torch.cat([torch.linspace(-1.2, 1.2, 100_001), (torch.arange(0, 511) - 255) / 255])
    assert np.array_equal(round_array(x.numpy()), to_uint8(x))
    assert set(round_array(x.numpy()).tolist()) == set(range(256))
