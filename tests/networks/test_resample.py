"""Doubling and halving, alone and fused with a convolution."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from making import normal
from torch.nn import functional as F

from growgan.networks import resample
from growgan.networks.layers import Conv

CLOSE = {"rtol": 0, "atol": 1e-12}


def conv(weight: torch.Tensor, bias: torch.Tensor) -> Conv:
    """A layer whose scaled weight is `weight`."""
    outputs, inputs, kernel, _ = weight.shape
    layer = Conv(inputs, outputs, kernel, wscale=True).double()
    with torch.no_grad():
        layer.weight.copy_(weight / layer.scale)
        layer.bias.copy_(bias)
    return layer


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
    layer = conv(weight, bias)
    for fused in (True, False):
        torch.testing.assert_close(layer.upscaling(x, fused), plain, **CLOSE)


@pytest.mark.parametrize("size", [2, 4, 6])
def test_conv_downscale_is_conv_then_pool(size: int) -> None:
    x, weight, bias = normal(2, 3, size, size, seed=1), normal(5, 3, 3, 3, seed=2), normal(5, seed=3)
    plain = F.conv2d(x, weight, bias, padding=1)
    plain = (plain[..., ::2, ::2] + plain[..., 1::2, ::2] + plain[..., ::2, 1::2] + plain[..., 1::2, 1::2]) / 4
    torch.testing.assert_close(conv(weight, bias).downscaling(x), plain, **CLOSE)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_what_is_made_once_is_made_again_when_the_weight_changes(layout: torch.memory_format) -> None:
    x, weight, bias = normal(2, 3, 4, 4, seed=1), normal(5, 3, 3, 3, seed=2), normal(5, seed=3)
    layer = conv(weight, bias).to(memory_format=layout).eval()
    with torch.no_grad():
        for _ in range(2):
            for call in (layer, layer.downscaling, lambda x: layer.upscaling(x, True)):
                made = call(x)
                torch.testing.assert_close(call(x), made, rtol=0, atol=0)
                torch.testing.assert_close(made, with_gradients(call, x), **CLOSE)
                torch.testing.assert_close(copy.deepcopy(layer)(x), layer(x), rtol=0, atol=0)
            layer.weight.mul_(2)


def with_gradients(call, x: torch.Tensor) -> torch.Tensor:
    with torch.enable_grad():
        return call(x).detach()


def test_lerp_is_exact_at_both_ends() -> None:
    small, large = normal(50, seed=1).float(), 1e8 * normal(50, seed=2).float()
    for a, b in ((small, large), (large, small)):
        assert torch.equal(resample.lerp(a, b, 0.0), a)
        assert torch.equal(resample.lerp(a, b, 1.0), b)
        torch.testing.assert_close(resample.lerp(a, b, 0.25), 0.75 * a + 0.25 * b)
