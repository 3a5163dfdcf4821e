"""The discriminator (paper, table 2, right): the generator's mirror image."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from growgan.core.config import NetworkSpec
from growgan.core.geometry import LOWEST, is_size, stage_name
from growgan.networks import layers, resample, variants
from growgan.networks.layers import Conv, Linear, Resample

OnInput = Callable[[str, Tensor], Tensor]
"""Called with the name and the input of a layer; returns what the layer gets instead: noisy input for LSGAN's adaptive
noise, or the same input if it is only inspected."""


class Head(nn.Module):
    """The last stage: 4x4 features to a score and label logits."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        width, hidden = spec.width(LOWEST), spec.width(LOWEST // 2)
        self.fromrgb = Conv(spec.channels, width, 1, spec.wscale)
        features = width + spec.has_stddev
        self.conv = Conv(features, width, 3, spec.wscale) if spec.variant.d_last_conv else None
        features = width if self.conv else features
        self.dense0 = Linear(features * LOWEST**2, hidden, spec.wscale)
        self.dense1 = Linear(hidden, 1 + spec.num_labels, spec.wscale, gain=1)


class Block(nn.Module):
    """A stage above the last: two convolutions, then downscaling."""

    def __init__(self, spec: NetworkSpec, resolution: int) -> None:
        super().__init__()
        below, width = spec.width(resolution // 2), spec.width(resolution)
        self.fromrgb = Conv(spec.channels, width, 1, spec.wscale)
        self.conv0 = Conv(width, width, 3, spec.wscale)
        fused: Resample | None = "down" if spec.d_down == "pool_act" else None
        self.conv1 = Conv(width, below, 3, spec.wscale, resample=fused)


class Discriminator(nn.Module):
    """D: images to scores and label logits. The size of the images determines the stage."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.spec = spec
        self.resolution = spec.resolution
        self.alpha = 1.0
        self.compute: torch.dtype | None = None
        """Type of convolutions, such as bfloat16; None = that of the weights, which scores always have."""
        self._activate = partial(layers.leaky, slope=spec.variant.slope)
        self._stddev = variants.minibatch_stddev(spec.variant)
        self.add_module(stage_name(LOWEST), Head(spec))
        for resolution in spec.stages[1:]:
            self.add_module(stage_name(resolution), Block(spec, resolution))

    def forward(
        self,
        x: Tensor,
        labels: Tensor | None = None,
        alpha: float | Tensor | None = None,
        parts: int = 1,
        on_input: OnInput | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Scores [N, 1] and logits [N, K] of images x [N, C, S, S].

        labels: not used; the paper's D judges them by its logits. alpha: weight of the newest layers, 0 to 1; None = as
        far as the weights have been trained. parts: number of equal parts of the batch, which minibatch stddev keeps
        apart. on_input: called with the input of every 3x3 convolution and of the first dense layer.
        """
        resolution = self._checked(x)
        if alpha is None:
            alpha = self.alpha if resolution == self.resolution else 1.0
        alpha = resample.checked(alpha)
        features = self._shrink(x.to(self.compute or x.dtype), resolution, alpha, on_input or _as_it_is)
        judged = self._judge(features, x.dtype, parts, on_input or _as_it_is)
        return judged[:, :1], judged[:, 1:]

    def stage(self, resolution: int) -> Any:
        """The layers of one stage: a `Head` or a `Block`."""
        return self.get_submodule(stage_name(resolution))

    def _shrink(self, x: Tensor, resolution: int, alpha: float | Tensor, on_input: OnInput) -> Tensor:
        """Images to features of 4x4 pixels."""
        size = resolution
        alpha = alpha if resolution >= self.spec.variant.d_fade_from else 1.0
        features = self._activate(self.stage(size).fromrgb(x))
        while size > LOWEST:
            features = self._halve(size, features, on_input)
            size //= 2
            if resample.fades(alpha) and size == resolution // 2:
                faded = self._activate(self.stage(size).fromrgb(resample.downscale(x)))
                features = resample.lerp(faded, features, alpha)
        return features

    def _halve(self, size: int, x: Tensor, on_input: OnInput) -> Tensor:
        block, name = self.stage(size), stage_name(size)
        x = self._activate(block.conv0(on_input(f"{name}.conv0", x)))
        x = self._activate(block.conv1(on_input(f"{name}.conv1", x)))
        return x if self.spec.d_down == "pool_act" else resample.downscale(x)

    def _judge(self, x: Tensor, dtype: torch.dtype, parts: int, on_input: OnInput) -> Tensor:
        head, name = self.stage(LOWEST), stage_name(LOWEST)
        if self.spec.has_stddev:
            x = self._stddev(x, self.spec.stddev_group, parts)
        if head.conv is not None:
            x = self._activate(head.conv(on_input(f"{name}.conv", x)))
        x = on_input(f"{name}.dense0", x)
        judged: Tensor = head.dense1(self._activate(head.dense0(x.flatten(1), self.compute).to(dtype)))
        return judged

    def _checked(self, x: Tensor) -> int:
        size = x.shape[-1]
        if x.dim() != 4 or x.shape[1] != self.spec.channels or x.shape[2] != size or not is_size(size):
            raise ValueError(
                f"images should be [N, {self.spec.channels}, S, S] with S a power of two, not {list(x.shape)}"
            )
        if size > self.spec.resolution:
            raise ValueError(f"images of {size} pixels are larger than the network's {self.spec.resolution}")
        return size


def _as_it_is(name: str, x: Tensor) -> Tensor:
    return x
