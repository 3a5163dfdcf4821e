"""Doubling and halving, alone and fused with a convolution."""

from __future__ import annotations

import numpy as np
import torch
from making import normal

from growgan.networks import resample

CLOSE = {"rtol": 0, "atol": 1e-12}


def test_up_and_down() -> None:
    x = normal(2, 3, 4, 6)
    up = resample.upscale(x)
    assert np.array_equal(up.numpy(), np.kron(x.numpy(), np.ones((2, 2))))
    assert torch.equal(resample.downscale(up), x)
    assert resample.downscale(torch.tensor([[[[1.0, 2.0], [3.0, 10.0]]]])).item() == 4.0


def test_boxes_against_loops_and_their_adjoint() -> None:
    x, y = normal(2, 3, 5, 4, seed=1), normal(2, 3, 4, 3, seed=2)
    sums = resample.boxes(x)
    assert sums.shape == y.shape
    for i, j in np.ndindex(4, 3):
        torch.testing.assert_close(sums[:, :, i, j], x[:, :, i : i + 2, j : j + 2].sum(dim=(2, 3)), **CLOSE)
    torch.testing.assert_close((sums * y).sum(), (x * resample.boxes(y, edges=True)).sum(), **CLOSE)


def test_lerp_is_exact_at_both_ends() -> None:
    small, large = normal(50, seed=1).float(), 1e8 * normal(50, seed=2).float()
    for a, b in ((small, large), (large, small)):
        assert torch.equal(resample.lerp(a, b, 0.0), a)
        assert torch.equal(resample.lerp(a, b, 1.0), b)
        torch.testing.assert_close(resample.lerp(a, b, 0.25), 0.75 * a + 0.25 * b)
