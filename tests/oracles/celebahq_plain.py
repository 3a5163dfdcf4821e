"""CelebA-HQ's crop in the paper's own words (appendix C), by complex numbers; and MTCNN's networks in plain loops."""

from __future__ import annotations

import cmath
from typing import Any

import numpy as np


def crop_of(landmarks: Any) -> tuple[complex, float, complex]:
    """Centre c, side s and the unit vector of the upper edge, in float64, pixels counted from the corner.

    x' = e1 - e0; y' = (e0 + e1) / 2 - (m0 + m1) / 2; c = (e0 + e1) / 2 - 0.1 y'; s = max(4.0 |x'|, 3.6 |y'|);
    x = normalise(x' - rotate90(y')). Multiplying by -i turns the paper's y', which points from mouth to eyes, right.
    """
    e0, e1, _, m0, m1 = (complex(x, y) + complex(0.5, 0.5) for x, y in np.asarray(landmarks, float))
    x1 = e1 - e0
    y1 = (e0 + e1) / 2 - (m0 + m1) / 2
    c = (e0 + e1) / 2 - 0.1 * y1
    s = max(4.0 * abs(x1), 3.6 * abs(y1))
    edge = x1 + 1j * y1
    return c, s, cmath.exp(1j * cmath.phase(edge))


def convolve(x: Any, weight: Any, bias: Any) -> Any:
    """[C, H, W] with [O, C, k, k], no padding."""
    out, _, k, _ = weight.shape
    height, width = x.shape[1] - k + 1, x.shape[2] - k + 1
    y = np.zeros((out, height, width))
    for o in range(out):
        for i in range(height):
            for j in range(width):
                y[o, i, j] = (x[:, i : i + k, j : j + k] * weight[o]).sum() + bias[o]
    return y


def slope(x: Any, a: Any) -> Any:
    shape = (-1,) + (1,) * (x.ndim - 1)
    return np.where(x > 0, x, x * a.reshape(shape))


def pool(x: Any, size: int) -> Any:
    """Maxima of size x size every 2 pixels; the last may hang over the edge, as in Caffe."""
    height, width = (-(-(side - size) // 2) + 1 for side in x.shape[1:])
    rows = [x[:, 2 * i : 2 * i + size, 2 * j : 2 * j + size].max((1, 2)) for i in range(height) for j in range(width)]
    return np.stack(rows, 1).reshape(-1, height, width)


def flatten(x: Any) -> Any:
    """Column by column, the channels of a place together."""
    channels, height, width = x.shape
    return np.array([x[c, i, j] for j in range(width) for i in range(height) for c in range(channels)])


def softmax(x: Any) -> Any:
    e = np.exp(x - x.max(0))
    return e / e.sum(0)


def pnet(w: Any, x: Any) -> tuple[Any, Any]:
    x = pool(slope(convolve(x, w["conv1.weight"], w["conv1.bias"]), w["prelu1.weight"]), 2)
    for n in (2, 3):
        x = slope(convolve(x, w[f"conv{n}.weight"], w[f"conv{n}.bias"]), w[f"prelu{n}.weight"])
    scores = convolve(x, w["conv4_1.weight"], w["conv4_1.bias"])
    return softmax(scores)[1], convolve(x, w["conv4_2.weight"], w["conv4_2.bias"])


def rnet(w: Any, x: Any) -> tuple[Any, Any]:
    for n in (1, 2):
        x = pool(slope(convolve(x, w[f"conv{n}.weight"], w[f"conv{n}.bias"]), w[f"prelu{n}.weight"]), 3)
    x = flatten(slope(convolve(x, w["conv3.weight"], w["conv3.bias"]), w["prelu3.weight"]))
    x = slope(w["dense4.weight"] @ x + w["dense4.bias"], w["prelu4.weight"])
    return softmax(w["dense5_1.weight"] @ x + w["dense5_1.bias"])[1], w["dense5_2.weight"] @ x + w["dense5_2.bias"]


def onet(w: Any, x: Any) -> tuple[Any, Any, Any]:
    for n, size in ((1, 3), (2, 3), (3, 2)):
        x = pool(slope(convolve(x, w[f"conv{n}.weight"], w[f"conv{n}.bias"]), w[f"prelu{n}.weight"]), size)
    x = flatten(slope(convolve(x, w["conv4.weight"], w["conv4.bias"]), w["prelu4.weight"]))
    x = slope(w["dense5.weight"] @ x + w["dense5.bias"], w["prelu5.weight"])
    first, *rest = (w[f"dense6_{n}.weight"] @ x + w[f"dense6_{n}.bias"] for n in (1, 2, 3))
    return softmax(first)[1], rest[0], rest[1]
