"""Multi-scale structural similarity of two images, window by window: slow, and easy to check by eye."""

import numpy as np

WEIGHTS = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333]


def window(size):
    at = np.arange(size) - (size - 1) / 2
    sigma = 1.5 * size / 11
    gauss = np.exp(-(at[:, None] ** 2 + at[None, :] ** 2) / (2 * sigma**2))
    return gauss / gauss.sum()


def ssim(x, y):
    """Mean similarity and mean contrast x structure of two channels [H, W]."""
    size = min(11, *x.shape)
    weights = window(size)
    similarities, contrasts = [], []
    for top in range(x.shape[0] - size + 1):
        for left in range(x.shape[1] - size + 1):
            a, b = (image[top : top + size, left : left + size] for image in (x, y))
            mean_a, mean_b = (weights * a).sum(), (weights * b).sum()
            variance_a = (weights * (a - mean_a) ** 2).sum()
            variance_b = (weights * (b - mean_b) ** 2).sum()
            covariance = (weights * (a - mean_a) * (b - mean_b)).sum()
            c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
            contrasts.append((2 * covariance + c2) / (variance_a + variance_b + c2))
            luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
            similarities.append(luminance * contrasts[-1])
    return np.mean(similarities), np.mean(contrasts)


def halve(x):
    """Mean of 2x2 pixels; one pixel stays one pixel."""
    if x.shape == (1, 1):
        return x
    return (x[::2, ::2] + x[1::2, ::2] + x[::2, 1::2] + x[1::2, 1::2]) / 4


def ms_ssim(x, y):
    """x, y: [C, S, S] of 0..255, S a power of two."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    product = 1.0
    for level, weight in enumerate(WEIGHTS):
        similarity, contrast = np.mean([ssim(a, b) for a, b in zip(x, y)], axis=0)
        product *= max(0.0, similarity if level == 4 else contrast) ** weight
        x, y = (np.stack([halve(channel) for channel in image]) for image in (x, y))
    return product
