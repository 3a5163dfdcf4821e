import numpy as np
import pytest
import torch

from growgan.core.errors import ConfigError
from growgan.metrics import kid as measure
from growgan.metrics.kid import discrepancy, kid


def features(n, d=16, seed=0, shift=0.0):
    return torch.from_numpy(np.random.default_rng(seed).normal(shift, 1, (n, d))).float()


def plain(x, y):
    """Sums over pairs, one by one."""

    def kernel(a, b):
        return (float(a @ b) / len(a) + 1) ** 3

    n, x, y = len(x), x.double().numpy(), y.double().numpy()
    same = sum(kernel(s[i], s[j]) for s in (x, y) for i in range(n) for j in range(n) if i != j)
    return same / (n * (n - 1)) - 2 * sum(kernel(a, b) for a in x for b in y) / n**2


def test_discrepancy_is_the_plain_one():
    x, y = features(20), features(20, seed=1, shift=0.5)
    assert discrepancy(x, y) == pytest.approx(plain(x, y), rel=1e-5)


def test_small_sets_are_compared_whole():
    x, y = features(30), features(30, seed=1, shift=0.5)
    assert kid(x, y) == (discrepancy(x, y), None)


def test_subsets_come_near_the_whole(monkeypatch):
    monkeypatch.setattr(measure, "SUBSET_IMAGES", 100)
    x, y = features(500), features(500, seed=1, shift=0.5)
    found = kid(x, y)
    assert found.value == pytest.approx(discrepancy(x, y), rel=0.1)
    assert found.deviation > 0
    assert found == kid(x, y) != kid(x, y, seed=1)


def test_sets_of_one_kind_lie_to_both_sides_of_zero():
    found = [kid(features(60, seed=2 * k), features(60, seed=2 * k + 1)).value for k in range(40)]
    assert min(found) < 0 < max(found)
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(40)


def test_the_number_of_images_does_not_shift_it():
    few, many = (
        [kid(features(n, seed=k), features(n, seed=99 - k, shift=0.3)).value for k in range(40)] for n in (30, 300)
    )
    assert np.mean(few) == pytest.approx(np.mean(many), rel=0.15)


def test_sets_of_unlike_sizes():
    found = kid(features(40), features(90, seed=1, shift=1))
    assert found.value > 0.1 and found.deviation > 0


def test_too_few_images_are_refused():
    with pytest.raises(ConfigError, match="two images"):
        kid(features(1), features(5))
