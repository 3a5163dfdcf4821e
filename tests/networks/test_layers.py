"""The layers, each against a plain re-statement."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from making import make_nets, make_spec, normal
from torch import nn

from growgan.networks import layers
from growgan.networks.discriminator import Discriminator
from growgan.networks.generator import Generator


def stddev_by_loops(x: np.ndarray, most: int | None, parts: int) -> np.ndarray:
    """The value appended to each image of a batch of equal parts."""
    n = len(x) // parts
    size = next(d for d in range(n if most is None else min(n, most), 0, -1) if n % d == 0)
    values = np.empty(len(x))
    for part in range(parts):
        for group in range(n // size):
            members = [part * n + group + (n // size) * i for i in range(size)]
            values[members] = np.sqrt(np.var(x[members], axis=0) + 1e-8).mean()
    return values


@settings(max_examples=80, deadline=None)
@given(
    n=st.integers(1, 14), most=st.one_of(st.none(), st.integers(1, 16)), parts=st.integers(1, 3), seed=st.integers(0, 9)
)
def test_stddev_against_loops(n: int, most: int | None, parts: int, seed: int) -> None:
    x = normal(parts * n, 2, 3, 3, seed=seed)
    y = layers.minibatch_stddev(x, most, parts)
    assert y.shape == (parts * n, 3, 3, 3)
    assert torch.equal(y[:, :2], x)
    expected = stddev_by_loops(x.numpy(), most, parts)
    np.testing.assert_allclose(y[:, 2].numpy(), np.broadcast_to(expected[:, None, None], (len(x), 3, 3)), atol=1e-12)


@pytest.mark.parametrize(
    ("n", "most", "size"),
    [(1, 4, 1), (6, 4, 3), (7, 4, 1), (10, 4, 2), (14, 4, 2), (14, 16, 14), (16, 4, 4), (7, None, 7), (3, 16, 3)],
)
def test_stddev_group_is_the_largest_divisor(n: int, most: int | None, size: int) -> None:
    assert layers.stddev_group_size(n, most) == size


def test_stddev_groups_are_strided_and_parts_kept_apart() -> None:
    x = torch.zeros(16, 1, 1, 1, dtype=torch.float64)
    x[1] = 1.0  # of 8 images in groups of 4, image 1 is compared with 3, 5 and 7
    changed = layers.minibatch_stddev(x, 4, parts=2)[:, 1, 0, 0] > 1e-3
    assert changed.nonzero().flatten().tolist() == [1, 3, 5, 7]


def test_stddev_of_one_image_is_the_root_of_epsilon() -> None:
    assert layers.minibatch_stddev(normal(1, 2, 4, 4), 4)[:, 2].numpy() == pytest.approx(1e-4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_stddev_of_half_precision_is_computed_in_float32(dtype: torch.dtype) -> None:
    x = (1000 * normal(4, 2, 4, 4)).to(dtype)  # squares that float16 cannot hold
    y = layers.minibatch_stddev(x, 4)
    assert y.dtype == dtype
    expected = stddev_by_loops(x.double().numpy(), 4, 1)[0]
    assert y[0, 2, 0, 0].item() == torch.tensor(expected).to(dtype).item()


def test_d_has_stddev_only_where_the_spec_says() -> None:
    x = normal(4, 3, 8, 8)
    for group in (None, 0, 1, 2, 4):
        _, D = make_nets(make_spec(8, stddev_group=group))
        with torch.no_grad():
            alone, together = D(x[:1])[0], D(x)[0][:1]
        off = group in (0, 1)
        assert D.stage(4).conv.weight.shape[1] == D.spec.width(4) + (not off)
        assert torch.allclose(alone, together, atol=1e-12) == off


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3, 2)])
def test_pixel_norm(shape: tuple[int, ...]) -> None:
    x = normal(*shape)
    expected = x.numpy() / np.sqrt(np.mean(x.numpy() ** 2, axis=1, keepdims=True) + 1e-8)
    np.testing.assert_allclose(layers.pixel_norm(x).numpy(), expected, atol=1e-12)
    assert layers.pixel_norm(torch.zeros(1, 3)).tolist() == [[0, 0, 0]]


@pytest.mark.parametrize(("dtype", "exact"), [(torch.float64, 1e-12), (torch.bfloat16, 2**-5)])
@pytest.mark.parametrize("shape", [(5, 7), (2, 7, 3, 2), (2, 40, 3, 3)])
def test_gradients_of_pixel_norm_of_both_orders(shape: tuple[int, ...], dtype: torch.dtype, exact: float) -> None:
    def gradients(form: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor) -> list[torch.Tensor]:
        x.requires_grad_()
        y = form(x)
        (alone,) = torch.autograd.grad((y.sin() * toward.to(y)).sum(), x, retain_graph=True)
        (first,) = torch.autograd.grad((y.sin() * toward.to(y)).sum(), x, create_graph=True)
        (second,) = torch.autograd.grad(first.square().sum(), x)
        return [y, alone, first, second]

    x, toward = normal(*shape).to(dtype), normal(*shape, seed=1)
    expected = gradients(lambda x: x / (x.square().mean(dim=1, keepdim=True) + 1e-8).sqrt(), x.double())
    for found, right in zip(gradients(layers.pixel_norm, x), expected, strict=True):
        assert found.dtype == dtype
        torch.testing.assert_close(found.double(), right, rtol=0, atol=exact * right.abs().max().item())


def test_leaky_slope() -> None:
    assert layers.leaky(torch.tensor([-5.0, 0.0, 2.0])).tolist() == [-1.0, 0.0, 2.0]


def equalized(network: nn.Module) -> dict[str, layers.Equalized]:
    return {name: module for name, module in network.named_modules() if isinstance(module, layers.Equalized)}


def gain_of(name: str) -> float:
    return {"torgb": 1.0, "dense1": 1.0, "dense": math.sqrt(2) / 4}.get(name.split(".")[-1], math.sqrt(2))


@pytest.mark.parametrize("kind", [Generator, Discriminator])
def test_gains_with_and_without_equalised_rates(kind: type[nn.Module]) -> None:
    networks = {wscale: kind(make_spec(16, fmap_base=512, fmap_max=64, wscale=wscale)) for wscale in (True, False)}
    for network in networks.values():
        layers.initialize(network, 3, "net")
    plain = equalized(networks[False])
    assert len(plain) >= 9
    for name, layer in equalized(networks[True]).items():
        he = gain_of(name) / math.sqrt(layer.weight[0].numel())
        enough = 5 / math.sqrt(2 * layer.weight.numel())
        assert layer.weight.std().item() == pytest.approx(1, abs=enough), name
        assert plain[name].weight.std().item() == pytest.approx(he, rel=enough), name
        torch.testing.assert_close(layer.scaled_weight(), he * layer.weight)
        assert torch.equal(plain[name].scaled_weight(), plain[name].weight)
        torch.testing.assert_close(plain[name].weight, he * layer.weight)
        assert not layer.bias.any()


def test_equalised_rates_scale_the_weight_and_not_the_bias() -> None:
    layer = layers.Linear(50, 3, wscale=True, gain=1).double()
    layers.initialize(layer, 0, "x")
    with torch.no_grad():
        layer.bias.copy_(torch.tensor([1.0, 2.0, 3.0]))
    x = normal(4, 50)
    expected = x @ layer.weight.T / math.sqrt(50) + layer.bias
    torch.testing.assert_close(layer(x), expected)
    torch.testing.assert_close(layer.project(x), expected - layer.bias)


@pytest.mark.parametrize("kernel", [1, 3])
def test_conv_against_loops(kernel: int) -> None:
    conv = layers.Conv(2, 3, kernel, wscale=True).double()
    layers.initialize(conv, 0, "x")
    with torch.no_grad():
        conv.bias.copy_(normal(3))
    x, margin = normal(1, 2, 4, 4), kernel // 2
    padded = np.pad(x.numpy()[0], ((0, 0), (margin, margin), (margin, margin)))
    weight = conv.weight.detach().numpy() * math.sqrt(2 / (2 * kernel**2))
    expected = np.empty((3, 4, 4))
    for o, i, j in np.ndindex(3, 4, 4):
        expected[o, i, j] = (padded[:, i : i + kernel, j : j + kernel] * weight[o]).sum() + conv.bias[o].item()
    np.testing.assert_allclose(conv(x)[0].detach().numpy(), expected, atol=1e-12)
