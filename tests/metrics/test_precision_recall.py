import numpy as np
import pytest
import torch

from growgan.core.errors import ConfigError
from growgan.metrics import precision_recall as measure
from growgan.metrics.precision_recall import precision_recall


def features(n, d=5, seed=0, scale=1.0):
    return torch.from_numpy(np.random.default_rng(seed).normal(0, scale, (n, d))).float()


def plain_share(points, manifold):
    """The share of points in a ball that reaches a point's third neighbour, pair by pair."""
    points, manifold = points.double().numpy(), manifold.double().numpy()
    radii = [sorted(np.linalg.norm(x - y) for j, y in enumerate(manifold) if j != i)[2] for i, x in enumerate(manifold)]
    return np.mean([any(np.linalg.norm(p - x) <= radius for x, radius in zip(manifold, radii)) for p in points])


@pytest.mark.parametrize("rows", [7, 1024])
def test_shares_are_the_plain_ones(monkeypatch, rows):
    monkeypatch.setattr(measure, "ROWS_AT_ONCE", rows)
    reals, fakes = features(50), features(40, seed=1, scale=1.5)
    found = precision_recall(reals, fakes)
    assert found == (plain_share(fakes, reals), plain_share(reals, fakes))
    assert 0 < found.precision < found.recall < 1


def test_a_set_covers_itself():
    assert precision_recall(features(30), features(30)) == (1, 1)


def test_sets_far_apart_cover_nothing():
    assert precision_recall(features(30), features(30, seed=1) + 100) == (0, 0)


def test_one_mode_of_two_is_precise_and_recalls_half():
    reals = torch.cat([features(200), features(200, seed=1) + 50])
    found = precision_recall(reals, features(200, seed=2))
    assert found.precision > 0.8
    assert 0.35 < found.recall < 0.55


def test_a_far_off_centre_costs_no_digits():
    reals, fakes = features(50), features(40, seed=1, scale=1.5)
    assert precision_recall(reals.double() + 1e6, fakes.double() + 1e6) == precision_recall(reals, fakes)


def test_too_few_images_are_refused():
    with pytest.raises(ConfigError, match="more than 3 images"):
        precision_recall(features(3), features(9))
