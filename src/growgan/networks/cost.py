"""What the networks cost: multiplications by layer, from the shapes alone."""

from __future__ import annotations

from growgan.core import geometry
from growgan.core.config import NetworkSpec
from growgan.core.geometry import LOWEST


def generator_flops(spec: NetworkSpec, resolution: int) -> float:
    """Operations (multiply-adds times two) of G for one image of `resolution` pixels, upscaling not fused."""
    width = spec.width(LOWEST)
    total = _dense(spec.z_size + spec.num_labels, width * LOWEST**2) + _conv(width, width, 3, LOWEST)
    for size in geometry.stages(resolution)[1:]:
        below, here = spec.width(size // 2), spec.width(size)
        total += _conv(below, here, 3, size) + _conv(here, here, 3, size)
    return total + _conv(spec.width(resolution), spec.channels, 1, resolution)


def discriminator_flops(spec: NetworkSpec, resolution: int) -> float:
    """Operations of D for one image of `resolution` pixels, downscaling not fused."""
    width, hidden = spec.width(LOWEST), spec.width(LOWEST // 2)
    total = _conv(spec.channels, spec.width(resolution), 1, resolution)
    for size in geometry.stages(resolution)[1:]:
        total += _conv(spec.width(size), spec.width(size), 3, size)
        total += _conv(spec.width(size), spec.width(size // 2), 3, size)
    total += _conv(width + spec.has_stddev, width, 3, LOWEST)
    return total + _dense(width * LOWEST**2, hidden) + _dense(hidden, 1 + spec.num_labels)


def step_flops(spec: NetworkSpec, resolution: int) -> float:
    """Operations of a WGAN-GP step for each image: 4 forwards of G and 14 of D (one update each, penalty included)."""
    return 4 * generator_flops(spec, resolution) + 14 * discriminator_flops(spec, resolution)


def _conv(inputs: int, outputs: int, kernel: int, size: int) -> float:
    return 2.0 * inputs * outputs * kernel**2 * size**2


def _dense(inputs: int, outputs: int) -> float:
    return 2.0 * inputs * outputs
