from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from discs import save_discs

from growgan.core.errors import ConfigError, DataError, ModelError
from growgan.data.build import build
from growgan.data.dataset import open_dataset
from growgan.data.reals import Reals
from growgan.evaluation.sources import Fakes
from growgan.metrics.streams import Sample, SeedBlock
from growgan.sampling.model import load


def test_each_round_shows_every_picture_once(colour_set: Path) -> None:
    with open_dataset(colour_set) as dataset:
        reals = Reals(dataset, 16)
        first, second = reals.pixels(0, 96), reals.pixels(96, 192)
        assert reals.distinct == 96
        np.testing.assert_array_equal(first, second)
        in_order = dataset.images(range(96))
        assert not np.array_equal(first, in_order)
        assert sorted(map(bytes, first)) == sorted(map(bytes, in_order))
        np.testing.assert_array_equal(reals.pixels(90, 100), np.concatenate([first[90:], first[:4]]))


def test_a_mirrored_set_shows_both_sides_in_two_rounds(colour_set: Path) -> None:
    with open_dataset(colour_set) as dataset:
        plain, reals = Reals(dataset, 16).pixels(0, 96), Reals(dataset, 16, mirrored=True)
        first, second = reals.pixels(0, 96), reals.pixels(96, 192)
        turned = [np.array_equal(a, b[:, :, ::-1]) and not np.array_equal(a, b) for a, b in zip(first, plain)]
        assert all(np.array_equal(a, b[:, :, ::-1] if t else b) for a, b, t in zip(first, plain, turned))
        assert 32 < sum(turned) < 64
        # MS-SSIM compares neighbours: half of them must be the same way round, as two fakes are.
        alike = sum(a == b for a, b in zip(turned[::2], turned[1::2]))
        assert 12 < alike < 36
        np.testing.assert_array_equal(second, first[:, :, :, ::-1])
        assert reals.key != Reals(dataset, 16).key != Reals(dataset, 8).key


def test_a_mirrored_set_of_odd_size_shows_both_sides_too(tmp_path: Path) -> None:
    build(save_discs(tmp_path / "odd", 11), tmp_path / "odd.zip")
    with open_dataset(tmp_path / "odd.zip") as dataset:
        shown = Reals(dataset, 16, mirrored=True).pixels(0, 22)
        np.testing.assert_array_equal(shown[11:], shown[:11, :, :, ::-1])


def test_no_fake_that_chose_the_best_is_measured(tiny_run: Path) -> None:
    assert Fakes(load(tiny_run), seed=0).first >= SeedBlock(0).fakes + 1_000_000


def test_weights_that_are_not_finite_are_refused(tiny_run: Path) -> None:
    model = load(tiny_run)
    next(model.G.parameters()).data.fill_(float("nan"))
    with pytest.raises(ModelError, match="weights that are not finite"):
        Fakes(model)


def test_fakes_are_those_of_their_seeds(tiny_run: Path) -> None:
    model = load(tiny_run)
    fakes = Fakes(model, seed=2, batch=3)
    expected = model.sample(10, seed=4_000_005, kind="tensor").numpy()
    assert np.abs(fakes.pixels(5, 15).astype(int) - expected).max() <= 1
    assert fakes.distinct is None and fakes.resolution == 16
    assert fakes.key == f"model {model.file.hash} 4000000"


def test_samples_are_read_in_batches(colour_set: Path) -> None:
    with open_dataset(colour_set) as dataset:
        reals = Reals(dataset, 8)
        parts = list(Sample(reals, 10, 30).batches(8))
        assert [len(part) for part in parts] == [8, 8, 4]
        np.testing.assert_array_equal(np.concatenate(parts), reals.pixels(10, 30))


def test_what_cannot_be_measured_is_refused(colour_set: Path, tiny_run: Path) -> None:
    with open_dataset(colour_set) as dataset, pytest.raises(DataError, match="cannot be read at 32x32"):
        Reals(dataset, 32)
    with pytest.raises(ConfigError, match="--seed must be between 0 and 4000, not -1"):
        Fakes(load(tiny_run), seed=-1)
