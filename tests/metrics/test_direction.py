"""Measures on features move the right way: blur, noise, fewer modes, copied images."""

import numpy as np
import pytest
from feature_nets import save_network
from scipy import ndimage

from growgan.metrics.fid import fid, statistics
from growgan.metrics.inception import FeatureNetwork
from growgan.metrics.kid import kid
from growgan.metrics.precision_recall import precision_recall

N = 160


def pictures(n, seed, size=32):
    """Soft coloured noise with a bright square, uint8 [n, 3, size, size]."""
    rng = np.random.default_rng(seed)
    soft = ndimage.gaussian_filter(rng.normal(0, 1, (n, 3, size, size)), (0, 0, 1.5, 1.5), mode="wrap")
    images = 100 + 120 * soft
    for image in images:
        y, x = rng.integers(0, size // 2, 2)
        image[:, y : y + size // 3, x : x + size // 3] += 60
    return np.clip(images, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """Features by set; "reals" and "others" are of one kind."""
    network = FeatureNetwork(save_network(tmp_path_factory.mktemp("net") / "net.pt"), "clean")
    others = pictures(N, 2)
    noise = np.random.default_rng(0).normal(0, 10, others.shape)
    images = {
        "reals": pictures(N, 1),
        "others": others,
        "slightly blurred": ndimage.gaussian_filter(others, (0, 0, 0.5, 0.5)),
        "blurred": ndimage.gaussian_filter(others, (0, 0, 1, 1)),
        "noisy": np.clip(others + noise, 0, 255).astype(np.uint8),
        "noisier": np.clip(others + 3 * noise, 0, 255).astype(np.uint8),
        "few modes": np.repeat(others[:4], N // 4, axis=0),
    }
    return {name: network.features(some) for name, some in images.items()}


def distance(measure, sets, name):
    if measure == "kid":
        return kid(sets["reals"], sets[name]).value
    return fid(*(statistics([sets[some]], "p") for some in ("reals", name)))


@pytest.mark.parametrize("measure", ["fid", "kid"])
def test_distances_order_the_sets(measure, sets):
    found = {name: distance(measure, sets, name) for name in sets}
    assert found["others"] < found["slightly blurred"] < found["blurred"]
    assert found["others"] < found["noisy"] < found["noisier"]
    assert found["few modes"] > 3 * abs(found["others"])
    assert found["reals"] < found["others"] or measure == "kid"


def test_precision_tells_of_quality_and_recall_of_variety(sets):
    chance, blurred, noisier, few = (
        precision_recall(sets["reals"], sets[name]) for name in ("others", "blurred", "noisier", "few modes")
    )
    assert min(chance) > 0.6
    assert blurred.precision < chance.precision / 2
    assert noisier.precision < chance.precision / 2
    assert few.recall < chance.recall / 4


def test_copied_reals_look_perfect(sets):
    """What these measures cannot see: a model that has learnt its training set by heart."""
    assert distance("fid", sets, "reals") == pytest.approx(0, abs=1e-6)
    assert precision_recall(sets["reals"], sets["reals"]) == (1, 1)
