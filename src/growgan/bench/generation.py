"""Generating pictures: how long the first one takes, and each one after it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from growgan.bench.timing import laps, once
from growgan.core.config import NetworkSpec
from growgan.devices import Machine
from growgan.networks.cost import generator_flops
from growgan.networks.generator import Generator
from growgan.networks.layers import follow, initialize, keep_kernels


@dataclass(frozen=True, slots=True)
class GenerationTime:
    """The time of a batch of pictures."""

    resolution: int
    batch: int
    precision: str
    first_seconds: float
    """The first batch of a network just loaded, in which its kernels are prepared."""
    seconds: float
    """Median of the following ones."""
    least_seconds: float
    flops_plain: float
    flops_fused: float
    share_plain: float | None
    """Share of the convolution limit, by the operations of the plain form."""
    share_fused: float | None


def generator(spec: NetworkSpec, machine: Machine, precision: str) -> Generator:
    """A network of random weights, set up for inference only."""
    G = Generator(spec)
    initialize(G, 1, "G")
    G.eval().requires_grad_(False)
    G.to(device=machine.device, memory_format=machine.layout)  # type: ignore[call-overload]
    follow(G, machine.plan)
    keep_kernels(G)
    G.compute = torch.bfloat16 if precision == "bfloat16" else None
    return G


def inputs(spec: NetworkSpec, batch: int, machine: Machine) -> tuple[Tensor, Tensor | None]:
    """Latents, and labels if the network takes any."""
    z = torch.randn(batch, spec.z_size, device=machine.device)
    return z, torch.zeros(batch, spec.num_labels, device=machine.device) if spec.num_labels else None


def time_generation(
    spec: NetworkSpec, batch: int, precision: str, machine: Machine, seconds: float, limit: float | None = None
) -> GenerationTime:
    """Time `batch` pictures at the full resolution of `spec`. limit: the measured convolution rate."""
    G = generator(spec, machine, precision)
    work = partial(G, *inputs(spec, batch, machine))
    with torch.inference_mode():
        first = once(work, machine.device)
        found = laps(work, machine.device, seconds, fewest=5)
    plain, fused = (batch * generator_flops(spec, spec.resolution, form) for form in (False, True))
    return GenerationTime(
        spec.resolution,
        batch,
        precision,
        first,
        found.median,
        found.least,
        plain,
        fused,
        plain / found.median / limit if limit else None,
        fused / found.median / limit if limit else None,
    )
