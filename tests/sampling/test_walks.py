"""Ways through latent space: the release's smoothed noise, and from seed to seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from making import make_spec
from scipy.ndimage import gaussian_filter

from growgan.core.errors import ConfigError
from growgan.sampling import walks
from growgan.sampling.latents import draw_arrays

SPEC = make_spec()
CLASSES = make_spec(num_labels=3)


def normalised(z: np.ndarray) -> np.ndarray:
    return z / np.linalg.norm(z, axis=-1, keepdims=True)


@pytest.mark.parametrize("sigma", [1.0, 6.0, 40.0])
def test_smooth_is_the_releases_film(sigma: float) -> None:
    plain = np.random.RandomState(5).randn(50, 3, SPEC.z_size)
    plain = gaussian_filter(plain, [sigma, 0, 0], mode="wrap")
    plain /= np.sqrt(np.mean(np.square(plain)))
    found = walks.smooth(50, 3, SPEC, {}, seed=5, sigma=sigma)
    np.testing.assert_allclose(found.z, plain, atol=2e-6)
    assert found.z.dtype == np.float32 and found.labels is None


def test_smooth_without_a_filter_is_noise() -> None:
    found = walks.smooth(4, 2, SPEC, {}, seed=1, sigma=0)
    noise = np.random.RandomState(1).randn(4, 2, SPEC.z_size)
    np.testing.assert_allclose(found.z, noise / np.sqrt(np.mean(np.square(noise))), rtol=1e-5)


def test_smooth_closes() -> None:
    z = walks.smooth(60, 2, SPEC, {}, sigma=5).z
    steps = np.linalg.norm(np.roll(z, -1, 0) - z, axis=-1)
    assert steps[-1].max() < 2 * steps.mean() and steps.max() < 0.5 * np.linalg.norm(z, axis=-1).mean()


def test_each_cell_of_a_smooth_walk_keeps_its_label() -> None:
    drawn = draw_arrays(range(7, 11), CLASSES, {})[1]
    found = walks.smooth(5, 4, CLASSES, {}, seed=7).labels
    assert found is not None and found.tolist() == [drawn.tolist()] * 5
    named = walks.smooth(5, 4, CLASSES, {}, seed=7, label=2).labels
    assert named is not None and named.tolist() == [[2] * 4] * 5


def test_through_meets_its_seeds_and_returns() -> None:
    seeds = [3, 9, 4, 8]
    z, _ = draw_arrays(seeds, SPEC, {})
    found = walks.through(walks.still(seeds, SPEC, {}), 40, 2, SPEC).z
    assert found.shape == (40, 2, SPEC.z_size)
    for frame, keys in ((0, (0, 2)), (20, (1, 3))):
        np.testing.assert_allclose(found[frame], z[list(keys)], rtol=1e-5)
    # Halfway it is between both, as far from each.
    a, b, middle = (normalised(one) for one in (z[0], z[1], found[10, 0]))
    assert middle @ a == pytest.approx(middle @ b, abs=1e-5) == pytest.approx(np.cos(np.arccos(a @ b) / 2), abs=1e-5)
    steps = np.linalg.norm(np.roll(found, -1, 0) - found, axis=-1)
    assert steps[[0, 19, 20, 39]].max() < 0.5 * steps[[9, 10, 29, 30]].min()  # it pauses at seeds, and closes


def test_through_mixes_labels_on_the_way() -> None:
    rows = {"rows": [[1, 0, 0], [0, 1, 0], [0, 0, 1]]}
    kinds = draw_arrays(range(20), CLASSES, {})[1]
    first, second = (int(np.flatnonzero(kinds == kind)[0]) for kind in (0, 2))
    found = walks.through(walks.still([first, second], CLASSES, {}), 4, 1, CLASSES).labels
    np.testing.assert_allclose(found[:, 0], [[1, 0, 0], [0.5, 0, 0.5], [0, 0, 1], [0.5, 0, 0.5]])
    named = walks.through(walks.still([first, second], CLASSES, {}, label=1), 4, 1, CLASSES).labels
    assert named is not None and named.dtype == np.int64 and named.tolist() == [[1]] * 4
    attributes = make_spec(num_labels=3, multi_label=True)
    many = walks.through(walks.still([1, 2], attributes, rows), 4, 1, attributes).labels
    assert many is not None and many.dtype == np.float32 and many.sum(-1) == pytest.approx(1)


def test_offsets_go_along_and_are_mixed() -> None:
    keys = walks.still([4, 7], SPEC, {})
    offset = np.arange(2, dtype=np.float32).reshape(1, 2, 1, 1, 1) * np.ones((8, 4, 4), dtype=np.float32)
    found = walks.through(replace(keys, offset=offset), 8, 1, SPEC)
    assert found.offset is not None and found.offset.dtype == np.float32
    np.testing.assert_allclose(found.offset[[0, 2, 4, 6], 0, 3, 1, 2], [0, 0.5, 1, 0.5])
    lasting = replace(keys, offset=offset).cells([1]).lasting(5)
    assert lasting.z.shape == (5, 1, SPEC.z_size) and lasting.labels is None
    assert lasting.offset is not None and (lasting.offset == 1).all() and lasting.offset.shape == (5, 1, 8, 4, 4)


def test_arcs_between_equal_and_opposite_vectors() -> None:
    a = np.array([[3.0, 4.0]])
    t = np.array([[0.25]])
    np.testing.assert_allclose(walks.arcs(a, a, t), a)
    assert np.isfinite(walks.arcs(a, -a, t)).all()


def test_walks_have_an_end() -> None:
    keys = walks.still([1, 2], SPEC, {})
    beyond = replace(keys, offset=np.zeros((1, 2, 8, 4, 4), dtype=np.float32))
    for make in (
        lambda: walks.smooth(10**7, 10, SPEC, {}),
        lambda: walks.through(keys, 10**9, 1, SPEC),
        lambda: walks.through(beyond, 3 * 10**6, 1, SPEC),
        lambda: walks.still(range(10**8), SPEC, {}),
    ):
        with pytest.raises(ConfigError, match="is too long"):
            make()
    found = walks.smooth(3, 2, SPEC, {}, seed=2**32 - 1)  # labels of seeds beyond the last one begin anew
    assert found.z.shape == (3, 2, SPEC.z_size)


@pytest.mark.parametrize(
    ("seeds", "frames", "cells", "words"),
    [
        ([1, 2, 3], 10, 2, "3 pictures cannot be split evenly over 2 cells"),
        ([1, 2], 10, 2, "at least two"),
        ([1], 10, 1, "at least two"),
        ([1, 2, 3, 4], 3, 1, "3 frames are too few to visit 4 pictures"),
        ([1, 2], 0, 1, "at least one frame"),
    ],
)
def test_seeds_that_make_no_walk(seeds: list[int], frames: int, cells: int, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        walks.through(walks.still(seeds, SPEC, {}), frames, cells, SPEC)
