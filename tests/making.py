"""Small networks and batches for tests, with biases that are not zero, so that a bias lost or scaled shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
import torch
from torch import Tensor

from growgan.core.config import NetworkSpec
from growgan.losses.base import Terms
from growgan.networks.discriminator import Discriminator
from growgan.networks.generator import Generator
from growgan.networks.layers import initialize


def make_spec(resolution: int = 16, **fields: Any) -> NetworkSpec:
    return NetworkSpec(**{"resolution": resolution, "fmap_base": 32, "fmap_max": 8, "latent_size": 6, **fields})


def make_nets(spec: NetworkSpec, dtype: torch.dtype = torch.float64, seed: int = 0) -> tuple[Generator, Discriminator]:
    G, D = Generator(spec).to(dtype), Discriminator(spec).to(dtype)
    random = torch.Generator().manual_seed(seed)
    for name, network in (("G", G), ("D", D)):
        initialize(network, seed, name)
        with torch.no_grad():
            for path, parameter in network.named_parameters():
                if path.endswith("bias"):
                    parameter.copy_(0.3 * torch.randn(parameter.shape, generator=random))
    return G, D


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


LABELS = ("none", "int", "one-hot", "mixture", "attributes")


def label_fields(kind: str, k: int = 3) -> dict[str, Any]:
    """Fields of a spec for labels of this kind."""
    return {"num_labels": 0 if kind == "none" else k, "multi_label": kind == "attributes"}


def make_labels(kind: str, n: int, k: int = 3) -> Tensor | None:
    random = torch.Generator().manual_seed(n)
    classes = torch.randint(k, (n,), generator=random)
    match kind:
        case "none":
            return None
        case "int":
            return classes
        case "one-hot":
            return torch.eye(k, dtype=torch.float64)[classes]
        case "mixture":
            return torch.rand((n, k), generator=random, dtype=torch.float64).softmax(dim=1)
        case "attributes":
            return torch.randint(2, (n, k), generator=random).double()
    raise ValueError(kind)


class FixedDraws:
    """Random numbers that come from a list of seeds by name, and that remember who asked."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.asked: list[str] = []

    def normal(self, name: str, *shape: int) -> Tensor:
        self.asked.append(name)
        return normal(self.n, *shape, seed=sum(map(ord, name)))

    def uniform(self, name: str, *shape: int) -> Tensor:
        self.asked.append(name)
        return normal(self.n, *shape, seed=sum(map(ord, name))).sigmoid()


def joined(groups: Iterable[Terms]) -> Terms:
    """The terms of all groups of a loss as if they were one."""
    all_ = Terms({})
    for terms in groups:
        assert not all_.parts.keys() & terms.parts.keys()
        all_.parts.update(terms.parts)
        all_.stats.update(terms.stats)
    return all_


def check_by_differences(loss: Callable[[], Tensor], D: Discriminator) -> None:
    """Hold the gradients of `loss` by weights of an 8x8 D in float64 against differences along a direction."""
    loss().backward()
    step = 1e-6
    for layer in ("8x8.fromrgb", "8x8.conv1", "4x4.conv", "4x4.dense1"):
        weight = D.get_parameter(f"{layer}.weight")
        direction, values = normal(*weight.shape, seed=9), []
        for move in (step, -2 * step):
            with torch.no_grad():
                weight.add_(move * direction)
            values.append(loss().item())
        with torch.no_grad():
            weight.add_(step * direction)
        assert weight.grad is not None
        expected = (weight.grad * direction).sum().item()
        assert (values[0] - values[1]) / (2 * step) == pytest.approx(expected, rel=1e-5, abs=1e-7), layer
