import numpy as np
import pytest
import torch
from scipy import stats

from growgan.core.errors import ConfigError
from growgan.metrics.inception_score import inception_score


def test_score_is_that_of_scipys_divergence():
    p = np.random.default_rng(0).dirichlet(np.full(6, 0.3), 103)
    scores = []
    for part in np.array_split(p, 10):
        scores.append(np.exp(np.mean([stats.entropy(row, part.mean(0)) for row in part])))
    found = inception_score(torch.from_numpy(p))
    assert found == pytest.approx((np.mean(scores), np.std(scores)))


def test_sure_and_even_classes_score_their_number():
    assert inception_score(torch.eye(8).repeat(10, 1)) == pytest.approx((8, 0))


def test_what_says_nothing_scores_one():
    assert inception_score(torch.full((40, 5), 0.2)) == pytest.approx((1, 0))
    assert inception_score(torch.eye(5)[[2]].repeat(40, 1)) == pytest.approx((1, 0))


def test_too_few_images_are_refused():
    with pytest.raises(ConfigError, match="at least 10 images"):
        inception_score(torch.full((9, 5), 0.2))
