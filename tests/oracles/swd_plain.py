"""The sliced Wasserstein distance and its pyramid, plainly in NumPy and SciPy: slow, easy to check by eye."""

import numpy as np
from scipy import ndimage

KERNEL = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]).astype(np.float32)[None, None] / 256


def down(images):
    return ndimage.convolve(images, KERNEL, mode="mirror")[:, :, ::2, ::2]


def up(images):
    n, c, h, w = images.shape
    stretched = np.zeros((n, c, 2 * h, 2 * w), images.dtype)
    stretched[:, :, ::2, ::2] = images
    return ndimage.convolve(stretched, 4 * KERNEL, mode="mirror")


def pyramid(images, levels):
    result = [images.astype(np.float32)]
    for _ in range(levels - 1):
        result.append(down(result[-1]))
        result[-2] = result[-2] - up(result[-1])
    return result


def patches(level, centres):
    """Patches 7x7 of [N, C, S, S] about centres (y, x) [N, P, 2]: float32 [N * P, C, 7, 7]."""
    return np.stack(
        [image[:, y - 3 : y + 4, x - 3 : x + 4] for image, points in zip(level, centres) for y, x in points]
    )


def standardised(descriptors):
    mean = descriptors.mean(axis=(0, 2, 3), keepdims=True, dtype=np.float64)
    deviation = descriptors.std(axis=(0, 2, 3), keepdims=True, dtype=np.float64)
    return ((descriptors - mean) / deviation).astype(np.float32).reshape(len(descriptors), -1)


def distance(a, b, directions, at_once=128):
    """Mean over directions [K, D] of the 1-D distances of descriptors [n, D], times 1000."""
    found = []
    for k in range(0, len(directions), at_once):
        some = directions[k : k + at_once].astype(np.float32).T
        found.append(np.mean(np.abs(np.sort(a @ some, axis=0) - np.sort(b @ some, axis=0))))
    return 1000 * np.mean(found)
