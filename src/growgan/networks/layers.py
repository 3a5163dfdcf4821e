"""The layers that G and D are made of (paper, sections 3 and 4)."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from growgan.core import seeds
from growgan.networks import resample

HE_GAIN = math.sqrt(2)
"""Gain of layers that a (leaky) ReLU follows (He et al., 2015)."""


FUSED_PIXELS = 8192
"""Pixels of a minibatch, on the larger side, from which training fuses a resampling with its convolution."""
LOW = (torch.bfloat16, torch.float16)
"""Types in which nothing is added up."""


class Equalized(nn.Module):
    """A weight and a bias with an equalised learning rate (paper, section 4.1).

    The stored weight is N(0, 1) and multiplied by ``gain / sqrt(fan_in)`` whenever it is used, so that Adam's steps
    have the same size relative to every layer's range. (The paper writes the same as a division by He's constant.)
    The bias is neither scaled nor slowed down. Without `wscale` the scale goes into the initial weight instead.
    """

    def __init__(self, shape: tuple[int, ...], gain: float, wscale: bool, biases: int | None = None) -> None:
        super().__init__()
        he_std = gain / math.sqrt(math.prod(shape[1:]))
        self.scale = he_std if wscale else 1.0
        self.init_std = 1.0 if wscale else he_std
        self._ready: tuple[int, dict[object, Tensor]] = (-1, {})
        self.weight = nn.Parameter(torch.empty(shape))
        self.bias = nn.Parameter(torch.zeros(shape[0] if biases is None else biases))

    def scaled_weight(self) -> Tensor:
        """The weight as it acts."""
        return self.once("scaled", lambda: self.weight * self.scale if self.scale != 1.0 else self.weight)

    def scaled(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Input and weight of a product, one of them scaled: in training the one that has fewer numbers."""
        if self.training and self.scale != 1.0 and x.numel() < self.weight.numel():
            return x * self.scale, self.weight
        return x, self.scaled_weight()

    def once(self, name: str, make: Callable[[], Tensor]) -> Tensor:
        """What `make` makes of the weight; in a network that is only used, made once for as long as the weight stands.

        Used only: in eval mode, and without gradients. What was made is kept in the type that convolutions are done in
        and laid out as the weight is, so that a picture costs the convolutions alone.
        """
        if self.training or torch.is_grad_enabled():
            return make()
        device = self.weight.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else self.weight.dtype
        version, made = self._ready
        if version != self.weight._version:
            made = {}
            self._ready = (self.weight._version, made)
        key = (name, dtype, self.weight.data_ptr())
        if key not in made:
            last = self.weight.dim() == 4 and self.weight.is_contiguous(memory_format=torch.channels_last)
            layout = torch.channels_last if last else torch.contiguous_format
            made[key] = make().to(dtype).contiguous(memory_format=layout)
        return made[key]

    def __getstate__(self) -> dict[str, object]:
        """Copies and pickles leave what can be made again behind."""
        return self.__dict__ | {"_ready": (-1, {})}


class Conv(Equalized):
    """A square convolution that keeps the size: images [N, inputs, H, W] to [N, outputs, H, W]."""

    def __init__(self, inputs: int, outputs: int, kernel: int, wscale: bool, gain: float = HE_GAIN) -> None:
        super().__init__((outputs, inputs, kernel, kernel), gain, wscale)

    def forward(self, x: Tensor) -> Tensor:
        """Images [N, outputs, H, W]."""
        x, weight = self.scaled(x)
        return F.conv2d(x, weight, self.bias, padding=weight.shape[-1] // 2)

    def upscaling(self, x: Tensor, fused: bool | None = None) -> Tensor:
        """Images [N, outputs, 2H, 2W]: enlarged, then convolved. Fused: the same in less than half the work.

        fused: None = where it pays. Making the kernel costs the more the wider the layer, and what it saves grows with
        the pixels as well.
        """
        if fused is None:
            fused = not self.training or 4 * len(x) * x.shape[-1] ** 2 >= FUSED_PIXELS
        if not fused:
            return self.forward(resample.upscale(x))
        kernel = self.once("up", lambda: resample.up_kernel(self.scaled_weight()))
        enlarged: Tensor = F.conv_transpose2d(x, kernel, self.bias, stride=2, padding=1)
        return enlarged

    def downscaling(self, x: Tensor) -> Tensor:
        """Images [N, outputs, H / 2, W / 2]: convolved, then shrunk; as one strided convolution where that pays."""
        if self.training and len(x) * x.shape[-1] ** 2 < FUSED_PIXELS:
            return resample.downscale(self.forward(x))
        kernel = self.once("down", lambda: resample.down_kernel(self.scaled_weight()))
        return F.conv2d(x, kernel, self.bias, stride=2, padding=1)


class Linear(Equalized):
    """A dense layer: [N, inputs] to [N, outputs], or without its bias, to be added later, by `project`."""

    def __init__(
        self, inputs: int, outputs: int, wscale: bool, gain: float = HE_GAIN, biases: int | None = None
    ) -> None:
        super().__init__((outputs, inputs), gain, wscale, biases)

    def forward(self, x: Tensor) -> Tensor:
        """Vectors [N, outputs]."""
        x, weight = self.scaled(x)
        return F.linear(x, weight, self.bias)

    def project(self, x: Tensor) -> Tensor:
        """The product with the weight alone."""
        return F.linear(*self.scaled(x))


def arithmetic(x: Tensor, dtype: torch.dtype | None) -> AbstractContextManager[object]:
    """Within it, convolutions and products of tensors on the device of `x` are done in `dtype`; None = as they are."""
    return nullcontext() if dtype is None else torch.autocast(x.device.type, dtype)


def initialize(network: nn.Module, seed: int, name: str) -> None:
    """Fill every weight with its own named draw, so that a layer's start does not depend on the layers beside it."""
    for path, module in network.named_modules():
        if isinstance(module, Equalized) and not module.weight.is_meta:
            generator = torch.Generator().manual_seed(seeds.derive(seed, f"init/{name}/{path}"))
            with torch.no_grad():
                values = torch.randn(module.weight.shape, generator=generator)
                module.weight.copy_(values * module.init_std)
                module.bias.zero_()


def leaky(x: Tensor) -> Tensor:
    """Leaky ReLU with slope 0.2 (paper, table 2). Without gradients it works in place: x is not to be used again."""
    return F.leaky_relu(x, 0.2, inplace=not torch.is_grad_enabled())


def pixel_norm(x: Tensor, eps: float = 1e-8, inplace: bool = False) -> Tensor:
    """Every pixel's (or latent's) feature vector, dim 1, brought to unit mean square (paper, section 4.2).

    The norm is added up in float32 at least, also of bfloat16 features.
    """
    norm = torch.linalg.vector_norm(x, dim=1, keepdim=True)
    norm = norm.float() if x.dtype in LOW else norm
    scale = torch.rsqrt(norm.square() / x.shape[1] + eps).to(x.dtype)
    return x.mul_(scale) if inplace else x * scale


def stddev_group_size(n: int, most: int | None) -> int:
    """How many of a minibatch of `n` are compared with each other: the largest divisor of n that is at most `most`."""
    most = n if most is None else min(most, n)
    return next(size for size in range(most, 0, -1) if n % size == 0)


def minibatch_stddev(x: Tensor, group: int | None, parts: int = 1) -> Tensor:
    """Append one channel that says how much a group's images differ (paper, section 3).

    x: features [N, C, H, W], a batch of `parts` equal parts one after the other (such as reals, then fakes); no group
    spans two of them. Within a part of n images, image i is in group ``i mod (n / size)``. The statistic is the biased
    standard deviation over the group, averaged over features and pixels. Returns [N, C + 1, H, W].
    """
    n, c, h, w = x.shape
    size = stddev_group_size(n // parts, group)
    y = x.float() if x.dtype in LOW else x
    y = y.reshape(parts, size, -1, c, h, w)  # [parts, size, groups, C, H, W]
    y = (y - y.mean(dim=1, keepdim=True)).square().mean(dim=1)
    y = (y + 1e-8).sqrt().mean(dim=(2, 3, 4))  # [parts, groups]
    y = y[:, None, :].expand(-1, size, -1).reshape(n, 1, 1, 1).expand(-1, -1, h, w)
    return torch.cat([x, y.to(x.dtype)], dim=1)
