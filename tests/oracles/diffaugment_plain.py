"""DiffAugment (Zhao et al. 2020), slow and plain: an image at a time, a step at a time, pixel by pixel."""

from __future__ import annotations

import numpy as np


def augmented(image: np.ndarray, policy: tuple[str, ...], numbers: np.ndarray, p: float) -> np.ndarray:
    """An image [C, S, S] changed; numbers in [0, 1), [12]: five that say whether, seven that say how."""
    whether, (bright, saturated, contrasted, down, right, top, left) = numbers[:5], numbers[5:]
    x = image.astype(np.float64).copy()
    channels, size, _ = x.shape
    colours = {2: 1, 4: 3}.get(channels, channels)  # the last of two or four channels is alpha
    if "colour" in policy:
        c = x[:colours]
        if whether[0] < p:
            c = c + (bright - 0.5)
        if whether[1] < p:
            grey = c.mean(axis=0, keepdims=True)
            c = (c - grey) * (2 * saturated) + grey
        if whether[2] < p:
            c = (c - c.mean()) * (contrasted + 0.5) + c.mean()
        x[:colours] = c
    if "translation" in policy and whether[3] < p:
        most = int(size / 8 + 0.5)
        dy, dx = int(down * (2 * most + 1)) - most, int(right * (2 * most + 1)) - most
        moved = np.zeros_like(x)
        for i in range(size):
            for j in range(size):
                if 0 <= i + dy < size and 0 <= j + dx < size:
                    moved[:, i, j] = x[:, i + dy, j + dx]
        x = moved
    if "cutout" in policy and whether[4] < p:
        side = int(size / 2 + 0.5)
        middle = int(top * (size + 1 - side % 2)), int(left * (size + 1 - side % 2))
        for i in range(middle[0] - side // 2, middle[0] - side // 2 + side):
            for j in range(middle[1] - side // 2, middle[1] - side // 2 + side):
                # The published form keeps the square's pixels inside by moving them to the nearest edge.
                x[:, min(max(i, 0), size - 1), min(max(j, 0), size - 1)] = 0
    return x
