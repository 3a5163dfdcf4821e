"""The three networks of MTCNN (Zhang, Zhang, Li and Qiao 2016), each of which judges windows of a picture more closely.

The inputs are float32 [N, 3, H, W], (RGB - 127.5) / 128. The outputs are, for each window, the probability of a face,
the face's box and, from the last network, the five landmarks. Boxes and landmarks are in units of the window's side:
offsets from its left, top, right, bottom; x of the five points, then their y.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch.nn.functional as F
from torch import Tensor

WINDOW = (12, 24, 48)
"""Side in pixels of the window that the first, second and third network see."""
STRIDE = 2
"""Pixels between the first network's windows."""


def propose(weights: Mapping[str, Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """Judge every window of pictures of any size: probabilities [N, h, w] and boxes [N, 4, h, w]."""
    x = F.max_pool2d(_convolve(weights, x, 1), 2, 2, ceil_mode=True)
    x = _convolve(weights, _convolve(weights, x, 2), 3)
    scores = F.conv2d(x, weights["conv4_1.weight"], weights["conv4_1.bias"])
    boxes = F.conv2d(x, weights["conv4_2.weight"], weights["conv4_2.bias"])
    return scores.softmax(1)[:, 1], boxes


def refine(weights: Mapping[str, Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """Judge windows [N, 3, 24, 24]: probabilities [N] and boxes [N, 4]."""
    x = F.max_pool2d(_convolve(weights, x, 1), 3, 2, ceil_mode=True)
    x = F.max_pool2d(_convolve(weights, x, 2), 3, 2, ceil_mode=True)
    x = _flatten(weights, _convolve(weights, x, 3), 4)
    return _connect(weights, x, "dense5_1").softmax(1)[:, 1], _connect(weights, x, "dense5_2")


def output(weights: Mapping[str, Tensor], x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Judge windows [N, 3, 48, 48]: probabilities [N], boxes [N, 4] and landmarks [N, 10]."""
    x = F.max_pool2d(_convolve(weights, x, 1), 3, 2, ceil_mode=True)
    x = F.max_pool2d(_convolve(weights, x, 2), 3, 2, ceil_mode=True)
    x = F.max_pool2d(_convolve(weights, x, 3), 2, 2, ceil_mode=True)
    x = _flatten(weights, _convolve(weights, x, 4), 5)
    return (
        _connect(weights, x, "dense6_1").softmax(1)[:, 1],
        _connect(weights, x, "dense6_2"),
        _connect(weights, x, "dense6_3"),
    )


def _convolve(weights: Mapping[str, Tensor], x: Tensor, number: int) -> Tensor:
    x = F.conv2d(x, weights[f"conv{number}.weight"], weights[f"conv{number}.bias"])
    return F.prelu(x, weights[f"prelu{number}.weight"])


def _flatten(weights: Mapping[str, Tensor], x: Tensor, number: int) -> Tensor:
    """The first dense layer; its inputs are ordered column by column, channels last, as in Matlab, their origin."""
    x = _connect(weights, x.permute(0, 3, 2, 1).flatten(1), f"dense{number}")
    return F.prelu(x, weights[f"prelu{number}.weight"])


def _connect(weights: Mapping[str, Tensor], x: Tensor, name: str) -> Tensor:
    return F.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])
