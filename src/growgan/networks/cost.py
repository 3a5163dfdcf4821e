"""What the networks cost: operations per layer, from the shapes alone.

Two forms are counted. Plain: upscale, then convolve; convolve, then downscale. Fused: such a pair as one 4x4 kernel at
the lower resolution, 1 / 2.25 of the pair's work, wherever the model allows it: in G always, in D with `pool_act`. The
layers of a fade (a 1x1 convolution in each network) are left out.
"""

from __future__ import annotations

from growgan.core import geometry
from growgan.core.config import LossConfig, NetworkSpec
from growgan.core.geometry import LOWEST

FUSED_SHARE = 4**2 / (4 * 3**2)
"""Work of a 4x4 kernel at the lower resolution, relative to a 3x3 kernel at the higher one: 1 / 2.25."""


def generator_flops(spec: NetworkSpec, resolution: int, fused: bool = False) -> float:
    """Operations (multiply-adds times two) of G for one image of `resolution` pixels."""
    width = spec.width(LOWEST)
    total = _dense(spec.z_size + spec.num_labels, width * LOWEST**2) + _conv(width, width, 3, LOWEST)
    for size in geometry.stages(resolution)[1:]:
        below, here = spec.width(size // 2), spec.width(size)
        total += _conv(below, here, 3, size) * (FUSED_SHARE if fused else 1) + _conv(here, here, 3, size)
    return total + _conv(spec.width(resolution), spec.channels, 1, resolution)


def discriminator_flops(spec: NetworkSpec, resolution: int, fused: bool = False) -> float:
    """Operations of D for one image of `resolution` pixels."""
    width, hidden = spec.width(LOWEST), spec.width(LOWEST // 2)
    down = FUSED_SHARE if fused and spec.d_down == "pool_act" else 1
    total = _conv(spec.channels, spec.width(resolution), 1, resolution)
    for size in geometry.stages(resolution)[1:]:
        total += _conv(spec.width(size), spec.width(size), 3, size)
        total += _conv(spec.width(size), spec.width(size // 2), 3, size) * down
    features = width + spec.has_stddev
    if spec.variant.d_last_conv:
        total += _conv(features, width, 3, LOWEST)
        features = width
    return total + _dense(features * LOWEST**2, hidden) + _dense(hidden, 1 + spec.num_labels)


def d_update_forwards(loss: LossConfig, resolution: int) -> float:
    """The cost of an update of D, in forward passes of D per image of the minibatch.

    A pass that weights learn from costs 3: forward, input gradient, weight gradient. Reals and fakes take one each. A
    gradient penalty adds the gradient itself, and backpropagation through it to inputs and weights: 3; WGAN-GP's is
    taken at separate images, whose forward pass and its backpropagation cost 3 more. Lazy penalties count on average.
    """
    passes = 2 * 3
    if loss.name == "wgan_gp":
        return passes + 6
    if loss.name not in ("logistic", "relativistic"):
        return passes
    penalized = (loss.r1_gamma(resolution) > 0) + (loss.r2(resolution) > 0)
    if loss.name == "relativistic" and penalized:  # one batch: the other half's penalty has weight 0
        penalized = 2
    return passes + 3 * penalized / loss.r1_interval


def step_flops(
    spec: NetworkSpec, resolution: int, loss: LossConfig | None = None, d_repeats: int = 1, fused: bool = False
) -> float:
    """Operations of a training step per image of its minibatch; with WGAN-GP, 4 forward passes of G and 14 of D.

    loss: None = WGAN-GP. d_repeats: updates of D per step. An update of D needs fakes, one forward pass of G; the
    update of G costs 3 of G and 2 of the frozen D, plus one more if D also judges reals.
    """
    g = generator_flops(spec, resolution, fused)
    d = discriminator_flops(spec, resolution, fused)
    loss = loss or LossConfig()
    judged = 3 if loss.name == "relativistic" else 2
    return d_repeats * (g + d_update_forwards(loss, resolution) * d) + 3 * g + judged * d


def _conv(inputs: int, outputs: int, kernel: int, size: int) -> float:
    return 2.0 * inputs * outputs * kernel**2 * size**2


def _dense(inputs: int, outputs: int) -> float:
    return 2.0 * inputs * outputs
