import numpy as np
import pytest
import torch
from scipy import linalg

from growgan.core.errors import ConfigError
from growgan.metrics.fid import Statistics, fid, statistics


def features(n, d, seed, scale=1.0, shift=0.0):
    rng = np.random.default_rng(seed)
    mix = np.random.default_rng(seed + 100).normal(0, 1, (d, d)) / np.sqrt(d)
    return torch.from_numpy(rng.normal(0, scale, (n, d)) @ mix + shift)


def gaussian(mean, covariance):
    return Statistics(torch.as_tensor(mean).double(), torch.as_tensor(covariance).double(), 1000, "p")


def plain(a, b):
    """The authors' form: the real part of the root of a general matrix."""
    root = linalg.sqrtm(a.covariance.numpy() @ b.covariance.numpy())
    spread = np.trace(a.covariance.numpy() + b.covariance.numpy() - 2 * np.real(root))
    return ((a.mean - b.mean) ** 2).sum().item() + spread


def test_distance_is_that_of_a_general_root():
    a, b = (statistics([features(500, 24, seed, 1 + seed)], "p") for seed in (0, 1))
    assert fid(a, b) == pytest.approx(plain(a, b), rel=1e-9)
    assert fid(a, b) == pytest.approx(fid(b, a), rel=1e-9)


def test_one_dimension_is_the_textbooks():
    assert fid(gaussian([3.0], [[4.0]]), gaussian([1.0], [[25.0]])) == pytest.approx((3 - 1) ** 2 + (2 - 5) ** 2)


def test_covariances_that_commute_have_a_closed_form():
    rng = np.random.default_rng(0)
    axes = linalg.qr(rng.normal(0, 1, (12, 12)))[0]
    x, y = rng.uniform(0.1, 5, (2, 12))
    means = rng.normal(0, 1, (2, 12))
    found = fid(gaussian(means[0], axes * x @ axes.T), gaussian(means[1], axes * y @ axes.T))
    expected = ((means[0] - means[1]) ** 2).sum() + ((np.sqrt(x) - np.sqrt(y)) ** 2).sum()
    assert found == pytest.approx(expected, rel=1e-10)


def test_samples_come_near_the_distance_of_their_gaussians():
    a, b = (statistics([features(200_000, 4, seed)], "p") for seed in (0, 1))
    mixes = [np.random.default_rng(seed + 100).normal(0, 1, (4, 4)) / 2 for seed in (0, 1)]
    exact = fid(*(gaussian(np.zeros(4), mix.T @ mix) for mix in mixes))
    assert fid(a, b) == pytest.approx(exact, rel=0.02)


def test_fewer_images_than_features_give_the_exact_overlap():
    x, y = features(10, 60, 0), features(14, 60, 1)
    a, b = statistics([x], "p"), statistics([y], "p")
    # tr sqrt(AB) of A = X'X / n is the sum of the singular values of X Y'.
    centred = [(rows - rows.mean(0)) / np.sqrt(len(rows) - 1) for rows in (x, y)]
    overlap = np.linalg.svd(centred[0] @ centred[1].T, compute_uv=False).sum()
    expected = (a.mean - b.mean).square().sum() + a.covariance.trace() + b.covariance.trace() - 2 * overlap
    assert fid(a, b) == pytest.approx(expected.item(), rel=1e-6)


def test_a_set_is_at_no_distance_from_itself():
    a = statistics([features(50, 20, 0)], "p")
    assert fid(a, a) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("batch", [1, 7, 100])
def test_statistics_are_numpys_whatever_the_batches(batch):
    rows = features(100, 9, 0, shift=1e6)
    found = statistics(rows.split(batch), "p")
    np.testing.assert_allclose(found.mean, rows.mean(0), rtol=1e-14)
    np.testing.assert_allclose(found.covariance, np.cov(rows.numpy(), rowvar=False), atol=1e-8)
    assert found.count == 100


def test_float32_features_are_gathered_in_float64():
    rows = features(2000, 5, 0, shift=1000).float()
    found = statistics(rows.split(64), "p")
    np.testing.assert_allclose(found.covariance, np.cov(rows.double().numpy(), rowvar=False), rtol=1e-9)


def test_unlike_protocols_are_refused():
    a, b = statistics([features(9, 3, 0)], "bilinear"), statistics([features(9, 3, 1)], "bicubic")
    with pytest.raises(ConfigError, match="cannot be compared with bicubic features"):
        fid(a, b)


@pytest.mark.parametrize("batches", [[], [torch.zeros(1, 3)]])
def test_too_few_images_are_refused(batches):
    with pytest.raises(ConfigError, match="two images"):
        statistics(batches, "p")
