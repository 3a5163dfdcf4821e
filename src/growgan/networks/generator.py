"""The generator (paper, table 2, left)."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from growgan.core.config import NetworkSpec
from growgan.core.geometry import LOWEST, is_size, stage_name
from growgan.networks import layers, resample, variants
from growgan.networks.layers import Conv, Linear


def latent_vectors(spec: NetworkSpec, z: Tensor, labels: Tensor | None) -> Tensor:
    """z [N, L] with the labels appended, [N, L + K]: the input of the first layer.

    Classes are int64 [N], attributes or mixtures of classes float [N, K]. The norm spans z and labels together, as in
    the release (in a variant, z alone). Raises `ValueError` if labels are missing or do not fit.
    """
    if z.dim() != 2 or z.shape[1] != spec.z_size:
        raise ValueError(f"z should be [N, {spec.z_size}], not {list(z.shape)}")
    if not spec.num_labels:
        return _on_sphere(spec, z)
    rows = _label_rows(spec, z.shape[0], labels).to(z)
    if spec.variant.labels_normed:
        return _on_sphere(spec, torch.cat([z, rows], dim=1))
    return torch.cat([_on_sphere(spec, z), rows], dim=1)


def _label_rows(spec: NetworkSpec, n: int, labels: Tensor | None) -> Tensor:
    """Labels [N, K], one-hot if they are classes."""
    if labels is None:
        raise ValueError(f"this network is conditional: it needs labels of {spec.num_labels} classes or attributes")
    if labels.dim() == 1:
        if labels.is_floating_point() or labels.dtype == torch.bool:
            raise ValueError(f"labels [N] are classes, int64; attributes and mixtures are [N, {spec.num_labels}]")
        # Checked only on a CPU: elsewhere, the CPU would have to wait for the device.
        on_cpu = labels.tolist() if labels.device.type == "cpu" else []
        if not all(0 <= label < spec.num_labels for label in on_cpu):
            raise ValueError(f"labels must be 0 to {spec.num_labels - 1}")
        labels = F.one_hot(labels.long(), spec.num_labels)
    if labels.shape != (n, spec.num_labels):
        raise ValueError(f"labels should be [{n}, {spec.num_labels}], not {list(labels.shape)}")
    return labels


def _on_sphere(spec: NetworkSpec, z: Tensor) -> Tensor:
    return variants.pixel_norm(spec.variant)(z) if spec.normalize_latents else z


class Base(nn.Module):
    """The first stage: latents to 4x4 features."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        width = spec.width(LOWEST)
        # The gain makes it equivalent to the paper's 4x4 transposed convolution: fan-in 16 (L + K) instead of L + K.
        outputs = width * LOWEST**2
        side = LOWEST if spec.variant.first_bias == "pixel" else 1
        self.bias_shape = width, side, side
        self.dense = Linear(
            spec.z_size + spec.num_labels,
            outputs,
            spec.wscale,
            gain=layers.HE_GAIN / 4,
            biases=math.prod(self.bias_shape),
        )
        self.conv = Conv(width, width, 3, spec.wscale)
        self.torgb = Conv(width, spec.channels, 1, spec.wscale, gain=1)


class Block(nn.Module):
    """A stage above the first: upscaling, then two convolutions."""

    def __init__(self, spec: NetworkSpec, resolution: int) -> None:
        super().__init__()
        below, width = spec.width(resolution // 2), spec.width(resolution)
        self.conv0 = Conv(below, width, 3, spec.wscale, resample="up")
        self.conv1 = Conv(width, width, 3, spec.wscale)
        self.torgb = Conv(width, spec.channels, 1, spec.wscale, gain=1)


class Generator(nn.Module):
    """G: latents, with labels, to images.

    `resolution` and `alpha` say how far the weights have been trained, and are the defaults of a call. A run in the
    middle of a fade stores both with its networks.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.spec = spec
        self.resolution = spec.resolution
        self.alpha = 1.0
        self.compute: torch.dtype | None = None
        """Type of convolutions, such as bfloat16; None = that of the weights, which images always have."""
        self._activate = partial(layers.leaky, slope=spec.variant.slope) if spec.leaky_relu else F.relu
        self._norm = variants.pixel_norm(spec.variant)
        self.add_module(stage_name(LOWEST), Base(spec))
        for resolution in spec.stages[1:]:
            self.add_module(stage_name(resolution), Block(spec, resolution))

    def forward(
        self,
        z: Tensor,
        labels: Tensor | None = None,
        resolution: int | None = None,
        alpha: float | Tensor | None = None,
    ) -> Tensor:
        """Images [N, C, resolution, resolution], unclipped, nominally in [-1, 1].

        z: [N, L]. labels: int64 [N] or float [N, K]; None only without labels. alpha: weight of the newest layers, 0 to
        1, in a fade from the next lower stage; a scalar tensor is not inspected and always means a fade. `resolution`
        and `alpha` default to how far the weights have been trained.
        """
        return self.synthesize(self.first(z, labels), resolution, alpha)

    def first(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Output of the first dense layer, activated and normalised: [N, width, 4, 4]; truncation acts here."""
        base, shape = self.stage(LOWEST), (self.spec.width(LOWEST), LOWEST, LOWEST)
        x = base.dense.project(latent_vectors(self.spec, z, labels), self.compute).view(z.shape[0], *shape)
        return self._finish(x + base.dense.bias.view(base.bias_shape), norm=self.spec.variant.first_norm)

    def synthesize(self, x: Tensor, resolution: int | None = None, alpha: float | Tensor | None = None) -> Tensor:
        """Images from what `first` returned."""
        resolution, alpha = self._reached(resolution, alpha)
        dtype = x.dtype
        before, x = self._grow(x.to(self.compute or dtype), resolution)
        images: Tensor = self.stage(resolution).torgb(x.to(dtype))
        if resample.fades(alpha):
            faint = self.stage(resolution // 2).torgb(before.to(dtype))
            images = resample.lerp(resample.upscale(faint), images, alpha)
        return images.tanh() if self.spec.variant.tanh else images

    def _grow(self, x: Tensor, resolution: int) -> tuple[Tensor, Tensor]:
        """Features of the stage below `resolution`, and of the stage at `resolution`."""
        x = self._finish(self.stage(LOWEST).conv(x))
        before = x
        for size in self.spec.stages[1:]:
            if size > resolution:
                break
            block = self.stage(size)
            before = x
            x = self._finish(block.conv0(x))
            x = self._finish(block.conv1(x))
        return before, x

    def stage(self, resolution: int) -> Any:
        """The layers of one stage: a `Base` or a `Block`."""
        return self.get_submodule(stage_name(resolution))

    def _finish(self, x: Tensor, norm: bool = True) -> Tensor:
        """Activation, then norm: what follows every convolution but toRGB."""
        x = self._activate(x)
        return self._norm(x, inplace=not torch.is_grad_enabled()) if norm and self.spec.pixelnorm else x

    def _reached(self, resolution: int | None, alpha: float | Tensor | None) -> tuple[int, float | Tensor]:
        size = self.resolution if resolution is None else resolution
        if not is_size(size) or size > self.spec.resolution:
            raise ValueError(f"resolution must be a power of two from 4 to {self.spec.resolution}, not {size}")
        if alpha is None:
            alpha = self.alpha if size == self.resolution else 1.0
        alpha = resample.checked(alpha)
        return size, 1.0 if size == LOWEST else alpha
