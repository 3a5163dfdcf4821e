import numpy as np
import pytest
import torch
from oracles import ms_ssim_plain
from scipy import ndimage

from growgan.core.errors import ConfigError
from growgan.metrics.ms_ssim import ms_ssim, ms_ssim_pairs


def pictures(n, size, seed, channels=3):
    rng = np.random.default_rng(seed)
    soft = ndimage.gaussian_filter(rng.normal(0, 1, (n, channels, size, size)), (0, 0, 1.5, 1.5), mode="wrap")
    return np.clip(128 + 200 * soft, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("size", [4, 8, 16, 32])
@pytest.mark.parametrize("noise", [5, 60])
def test_similarity_is_the_plain_one(size, noise):
    x = pictures(2, size, 1)
    y = np.clip(x + np.random.default_rng(2).normal(0, noise, x.shape), 0, 255).astype(np.uint8)
    expected = [ms_ssim_plain.ms_ssim(a, b) for a, b in zip(x, y)]
    found = ms_ssim(torch.from_numpy(x).float(), torch.from_numpy(y).float())
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_equal_images_are_wholly_similar_and_opposite_ones_not_at_all():
    x = torch.from_numpy(pictures(3, 32, 1)).float()
    torch.testing.assert_close(ms_ssim(x, x), torch.ones(3))
    torch.testing.assert_close(ms_ssim(x, 255 - x), torch.zeros(3))


def test_pairs_are_consecutive_whatever_the_batches():
    images = pictures(9, 16, 1)
    images.setflags(write=False)
    expected = np.mean([ms_ssim_plain.ms_ssim(images[k], images[k + 1]) for k in (0, 2, 4, 6)])
    for batch in (1, 2, 3, 9):
        batches = [images[start : start + batch] for start in range(0, 9, batch)]
        assert ms_ssim_pairs(batches) == pytest.approx(expected, abs=2e-5)


def test_less_variety_is_more_similar():
    images = pictures(64, 32, 1)
    few_modes = images[np.random.default_rng(0).integers(0, 3, 64)]
    assert ms_ssim_pairs([few_modes]) > ms_ssim_pairs([images]) + 0.1


def test_grey_is_measured_as_three_equal_colours():
    grey = pictures(6, 16, 1, channels=1)
    assert ms_ssim_pairs([grey]) == pytest.approx(ms_ssim_pairs([np.repeat(grey, 3, 1)]), abs=1e-6)


def test_too_few_images_and_other_pixels_are_refused():
    with pytest.raises(ConfigError, match="at least two"):
        ms_ssim_pairs([pictures(1, 16, 1)])
    with pytest.raises(ConfigError, match="uint8"):
        ms_ssim_pairs([pictures(2, 16, 1).astype(np.float32)])
