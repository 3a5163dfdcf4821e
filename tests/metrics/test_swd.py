import numpy as np
import pytest
import torch
from oracles import swd_plain
from scipy import ndimage, stats

from growgan.core.errors import ConfigError
from growgan.metrics import swd as measure
from growgan.metrics.swd import Descriptors, swd


def pictures(n, size, seed, channels=3):
    """Soft coloured noise with a bright square, uint8 [n, channels, size, size]."""
    rng = np.random.default_rng(seed)
    soft = ndimage.gaussian_filter(rng.normal(0, 1, (n, channels, size, size)), (0, 0, 1.5, 1.5), mode="wrap")
    images = 100 + 120 * soft
    for image in images:
        y, x = rng.integers(0, size // 2, 2)
        image[:, y : y + size // 3, x : x + size // 3] += 60
    return np.clip(images, 0, 255).astype(np.uint8)


def described(images, seed, batch=32):
    descriptors = Descriptors(seed)
    for start in range(0, len(images), batch):
        descriptors.add(images[start : start + batch])
    return descriptors


def test_one_dimensional_distance_is_scipys():
    rng = np.random.default_rng(0)
    a = rng.normal(0, 1, (5, 400)).astype(np.float32)
    b = rng.gamma(2, 1, (5, 400)).astype(np.float32)
    expected = [stats.wasserstein_distance(x, y) for x, y in zip(a, b)]
    found = measure.mean_sorted_difference(torch.from_numpy(a), torch.from_numpy(b))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("size", [8, 16, 64])
def test_pyramid_is_the_plain_one(size):
    images = np.random.default_rng(1).integers(0, 256, (3, 3, size, size)).astype(np.float32)
    levels = len(measure.pyramid_sizes(size))
    found = list(measure.laplacian_pyramid(torch.from_numpy(images), levels))
    expected = swd_plain.pyramid(images, levels)
    assert [level.shape[-1] for level in found] == measure.pyramid_sizes(size)
    for level, plain in zip(found, expected):
        np.testing.assert_allclose(level, plain, atol=1e-3)


def test_pyramid_adds_up_to_the_image():
    images = torch.rand(2, 3, 64, 64) * 255
    *details, total = measure.laplacian_pyramid(images, 3)
    for detail in reversed(details):
        total = detail + measure.pyramid_up(total)
    torch.testing.assert_close(total, images)


def test_levels_stop_at_16_or_at_the_image():
    assert measure.pyramid_sizes(128) == [128, 64, 32, 16]
    assert measure.pyramid_sizes(16) == [16]
    assert measure.pyramid_sizes(8) == [8]


def test_patches_reach_every_place_inside_the_image():
    corners = torch.cat([measure.patch_positions(0, block, [16])[0].flatten(0, 1) for block in range(4)])
    assert sorted(set(corners[:, 0].tolist())) == sorted(set(corners[:, 1].tolist())) == list(range(10))


def test_directions_are_unit_vectors_and_new_on_each_level():
    directions = measure.draw_directions(0, 32)
    assert directions.shape == (512, 147)
    torch.testing.assert_close(directions.norm(dim=1), torch.ones(512, dtype=torch.float64))
    assert not torch.equal(directions, measure.draw_directions(0, 16))


def test_distance_is_the_plain_one():
    a, b = pictures(40, 32, 1), ndimage.gaussian_filter(pictures(40, 32, 2), (0, 0, 0.5, 0.5))
    found = swd(described(a, 1), described(b, 2), seed=7)
    patches = []
    for images, seed in ((a, 1), (b, 2)):
        blocks = [measure.patch_positions(seed, block, [32, 16]) for block in range(3)]
        centres = [torch.cat(level)[:40].numpy() + 3 for level in zip(*blocks)]
        patches.append([swd_plain.patches(*pair) for pair in zip(swd_plain.pyramid(images, 2), centres)])
    for size, x, y in zip((32, 16), *patches):
        directions = measure.draw_directions(7, size).numpy()
        expected = swd_plain.distance(swd_plain.standardised(x), swd_plain.standardised(y), directions)
        assert found.levels[size] == pytest.approx(expected, rel=1e-3)
    assert found.average == pytest.approx(np.mean(list(found.levels.values())))


def test_a_set_is_at_no_distance_from_itself():
    images = pictures(20, 16, 1)
    assert swd(described(images, 1), described(images, 1)).average == 0


def test_distance_tells_blur_noise_and_lost_variety_from_chance():
    a, b = pictures(256, 32, 1), pictures(256, 32, 2)
    blurred = ndimage.gaussian_filter(b, (0, 0, 1, 1))
    noisy = np.clip(b + np.random.default_rng(0).normal(0, 10, b.shape), 0, 255).astype(np.uint8)
    copied = np.repeat(b[:4], 64, axis=0)
    chance, blur, noise, copies = (swd(described(a, 1), described(x, 2)) for x in (b, blurred, noisy, copied))
    assert chance.average < 20
    assert blur.levels[32] > 4 * chance.levels[32]
    assert noise.levels[32] > 3 * chance.levels[32]
    assert noise.levels[16] < noise.levels[32] / 2  # noise of single pixels leaves the large shapes alone
    assert copies.average > 2 * chance.average


def test_chance_falls_with_the_number_of_images():
    few, many = (swd(described(pictures(n, 16, 1), 1), described(pictures(n, 16, 2), 2)).average for n in (32, 512))
    assert many < few / 2


@pytest.mark.parametrize("batch", [1, 7, 16, 100])
def test_batches_change_nothing(batch):
    images, others = pictures(50, 16, 1), described(pictures(50, 16, 2), 2)
    assert swd(described(images, 1, batch), others) == swd(described(images, 1), others)


def test_threads_change_nothing():
    images, others = pictures(50, 16, 1), described(pictures(50, 16, 2), 2)
    threads = torch.get_num_threads()
    results = []
    for count in (1, 3):
        torch.set_num_threads(count)
        results.append(swd(described(images, 1), others))
        assert torch.get_num_threads() == count
    torch.set_num_threads(threads)
    assert results[0] == results[1]


def test_measuring_changes_nothing():
    images, others = pictures(50, 16, 1), described(pictures(50, 16, 2), 2)
    growing = described(images[:20], 1)
    swd(growing, described(images[20:40], 3))
    growing.add(images[20:])
    assert swd(growing, others) == swd(described(images, 1), others)


def test_same_seeds_same_result_and_other_seeds_another():
    a, b = pictures(20, 16, 1), pictures(20, 16, 2)
    first = swd(described(a, 1), described(b, 2), seed=5)
    assert first == swd(described(torch.from_numpy(a), 1), described(b, 2), seed=5)
    assert first != swd(described(a, 1), described(b, 2), seed=6)
    assert first != swd(described(a, 3), described(b, 2), seed=5)


def test_grey_is_measured_as_three_equal_colours():
    grey, others = pictures(20, 16, 1, channels=1), described(pictures(20, 16, 2), 2)
    assert swd(described(grey, 1), others) == swd(described(np.repeat(grey, 3, 1), 1), others)


def test_sets_of_one_flat_colour_keep_the_distance_finite():
    flat = np.full((20, 3, 32, 32), 77, np.uint8)
    result = swd(described(flat, 1), described(pictures(20, 32, 1), 2))
    assert all(np.isfinite(value) and value > 100 for value in result.levels.values())


def test_read_only_pixels_are_taken():
    images = pictures(4, 16, 1)
    images.setflags(write=False)
    assert described(images, 1).images == 4


@pytest.mark.parametrize("size", [4, 24])
def test_sizes_without_a_pyramid_are_refused(size):
    with pytest.raises(ConfigError, match="square images of 8, 16, 32"):
        Descriptors(0).add(np.zeros((1, 3, size, size), np.uint8))


def test_other_pixels_are_refused():
    with pytest.raises(ConfigError, match="uint8"):
        Descriptors(0).add(np.zeros((1, 3, 16, 16), np.float32))
    with pytest.raises(ConfigError, match=r"1 or 3"):
        Descriptors(0).add(np.zeros((1, 4, 16, 16), np.uint8))


def test_mixed_and_unlike_sets_are_refused():
    descriptors = described(pictures(3, 16, 1), 0)
    with pytest.raises(ConfigError, match="of 16 and of 32 pixels in one set"):
        descriptors.add(pictures(1, 32, 1))
    with pytest.raises(ConfigError, match="not 3 of 16 pixels and 4 of 16"):
        swd(descriptors, described(pictures(4, 16, 1), 0))
    with pytest.raises(ConfigError, match="equal numbers of"):
        swd(Descriptors(0), Descriptors(1))
