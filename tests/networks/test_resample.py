"""Doubling and halving, alone and fused with a convolution."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from making import normal
from torch.nn import functional as F

from growgan.networks import resample

CLOSE = {"rtol": 0, "atol": 1e-12}


def test_up_and_down() -> None:
    x = normal(2, 3, 4, 6)
    up = resample.upscale(x)
    assert np.array_equal(up.numpy(), np.kron(x.numpy(), np.ones((2, 2))))
    assert torch.equal(resample.downscale(up), x)
    assert resample.downscale(torch.tensor([[[[1.0, 2.0], [3.0, 10.0]]]])).item() == 4.0


@pytest.mark.parametrize("size", [1, 2, 4, 5])
def test_fused_up_is_plain_up(size: int) -> None:
    x, weight, bias = normal(2, 3, size, size, seed=1), normal(5, 3, 3, 3, seed=2), normal(5, seed=3)
    plain = F.conv2d(torch.from_numpy(np.kron(x.numpy(), np.ones((2, 2)))), weight, bias, padding=1)
    for fused in (True, False):
        torch.testing.assert_close(resample.upscale_conv(x, weight, bias, fused), plain, **CLOSE)


@pytest.mark.parametrize("size", [2, 4, 6])
def test_conv_downscale_is_conv_then_pool(size: int) -> None:
    x, weight, bias = normal(2, 3, size, size, seed=1), normal(5, 3, 3, 3, seed=2), normal(5, seed=3)
    plain = F.conv2d(x, weight, bias, padding=1)
    plain = (plain[..., ::2, ::2] + plain[..., 1::2, ::2] + plain[..., ::2, 1::2] + plain[..., 1::2, 1::2]) / 4
    torch.testing.assert_close(resample.conv_downscale(x, weight, bias), plain, **CLOSE)


def test_lerp_is_exact_at_both_ends() -> None:
    small, large = normal(50, seed=1).float(), 1e8 * normal(50, seed=2).float()
    for a, b in ((small, large), (large, small)):
        assert torch.equal(resample.lerp(a, b, 0.0), a)
        assert torch.equal(resample.lerp(a, b, 1.0), b)
        torch.testing.assert_close(resample.lerp(a, b, 0.25), 0.75 * a + 0.25 * b)


@pytest.mark.parametrize("resolution", [4, 16])
def test_to_full(resolution: int) -> None:
    x = normal(2, 3, 4, 4)
    factor = resolution // 4
    assert np.array_equal(resample.to_full(x, resolution).numpy(), np.kron(x.numpy(), np.ones((factor, factor))))
