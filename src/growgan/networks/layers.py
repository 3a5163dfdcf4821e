"""The layers that G and D are made of (paper, sections 3 and 4)."""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from growgan.core import seeds
from growgan.core.plan import Plan
from growgan.networks import algorithms, resample
from growgan.networks.convolution import Convolution

HE_GAIN = math.sqrt(2)
"""Gain of layers that a (leaky) ReLU follows (He et al., 2015)."""

LOW = (torch.bfloat16, torch.float16)
"""Types in which sums are never accumulated."""


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
        self.weight = nn.Parameter(torch.empty(shape))
        nn.init.normal_(self.weight, std=self.init_std)
        self.bias = nn.Parameter(torch.zeros(shape[0] if biases is None else biases))

    def scaled_weight(self) -> Tensor:
        """The effective weight."""
        return self.weight * self.scale if self.scale != 1.0 else self.weight


Resample = Literal["up", "down"]


class Conv(Equalized):
    """A square convolution with padding: images [N, inputs, H, W] to [N, outputs, H, W].

    resample: "up" enlarges the images before the convolution, to [N, outputs, 2H, 2W]; "down" shrinks them after it, to
    [N, outputs, H / 2, W / 2]. Both are fused with it, in a quarter of the work. Computed in the type of the input.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        wscale: bool,
        gain: float = HE_GAIN,
        resample: Resample | None = None,
    ) -> None:
        super().__init__((outputs, inputs, kernel, kernel), gain, wscale)
        self.resample = resample
        candidates = {None: algorithms.plain, "up": algorithms.up, "down": algorithms.down}[resample]
        self.convolution = Convolution(candidates, self.scale, resample or "")

    def forward(self, x: Tensor) -> Tensor:
        """Images, resampled or not."""
        return self.convolution(x, self.weight, self.bias)


class Linear(Equalized):
    """A dense layer: [N, inputs] to [N, outputs]; `project` leaves out the bias, to be added later."""

    def __init__(
        self, inputs: int, outputs: int, wscale: bool, gain: float = HE_GAIN, biases: int | None = None
    ) -> None:
        super().__init__((outputs, inputs), gain, wscale, biases)
        self.convolution = Convolution(algorithms.dense, 1.0)

    def forward(self, x: Tensor, compute: torch.dtype | None = None) -> Tensor:
        """Vectors [N, outputs]. compute: as for `project`."""
        return self.project(x, compute) + self.bias

    def project(self, x: Tensor, compute: torch.dtype | None = None) -> Tensor:
        """The product with the weight alone. The scale is applied to x or the product, which are smaller.

        compute: type that it is computed in; the result has the type of the weight.
        """
        if compute is None:
            return F.linear(x * self.scale if self.scale != 1.0 else x, self.weight)
        y = self.convolution(x.to(compute), self.weight, None).to(self.weight.dtype)
        return y * self.scale if self.scale != 1.0 else y


def follow(network: nn.Module, plan: Plan) -> None:
    """Have every convolution of the network follow this plan."""
    for module in network.modules():
        if isinstance(module, Conv):
            module.convolution.plan = plan


def keep_kernels(network: nn.Module, keep: bool = True) -> None:
    """Have layers keep the kernels prepared from their weights, until the weights' versions change.

    For an owner that bumps the versions (`torch.autograd.graph.increment_version`) wherever PyTorch does not, and
    shares the network with no code that might not: see `Convolution.keep`.
    """
    for module in network.modules():
        if isinstance(module, Conv | Linear):
            module.convolution.keep = keep


def initialize(network: nn.Module, seed: int, name: str) -> None:
    """Initialise every weight from its own named draw, independent of other layers and of the global seed."""
    for path, module in network.named_modules():
        if isinstance(module, Equalized) and not module.weight.is_meta:
            generator = torch.Generator().manual_seed(seeds.derive(seed, f"init/{name}/{path}"))
            with torch.no_grad():
                values = torch.randn(module.weight.shape, generator=generator)
                module.weight.copy_(values * module.init_std)
                module.bias.zero_()


def leaky(x: Tensor, slope: float = 0.2) -> Tensor:
    """Leaky ReLU with slope 0.2 (paper, table 2), in place: x must not be used again."""
    if torch.is_grad_enabled() and x.requires_grad:
        y: Tensor = _Leaky.apply(x, slope)  # type: ignore[no-untyped-call]
        return y
    return F.leaky_relu(x, slope, inplace=True)


class _Leaky(torch.autograd.Function):
    """Leaky ReLU without a second derivative, which is zero wherever it exists.

    PyTorch's own returns zeros for it, which a penalty then backpropagates through all earlier layers: in D's last
    stage, where there is nothing else to backpropagate, whole products of zeros.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, slope: float) -> Tensor:
        ctx.mark_dirty(x)
        y = F.leaky_relu(x, slope, inplace=True)
        ctx.save_for_backward(y)
        ctx.slope = slope
        return y

    @staticmethod
    def backward(ctx: Any, gy: Tensor) -> tuple[Tensor, None]:
        (y,) = ctx.saved_tensors
        return _LeakyGradient.apply(gy, y, ctx.slope), None  # type: ignore[no-untyped-call]


class _LeakyGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gy: Tensor, y: Tensor, slope: float) -> Tensor:
        ctx.save_for_backward(y)
        ctx.slope = slope
        gx: Tensor = torch.ops.aten.leaky_relu_backward.default(gy, y, slope, True)
        return gx

    @staticmethod
    def backward(ctx: Any, ggx: Tensor) -> tuple[Tensor, None, None]:
        (y,) = ctx.saved_tensors
        return _LeakyGradient.apply(ggx, y, ctx.slope), None, None  # type: ignore[no-untyped-call]


def pixel_norm(x: Tensor, eps: float = 1e-8, inplace: bool = False) -> Tensor:
    """Scale every pixel's (or latent's) feature vector, dim 1, to unit mean square (paper, section 4.2).

    The norm is accumulated in float32 at least, also for bfloat16 features.
    """
    if torch.is_grad_enabled() and x.requires_grad:
        y: Tensor = _PixelNorm.apply(x, eps)  # type: ignore[no-untyped-call]
        return y
    scale = resample.broadcast(_inverse_norm(x, eps).to(x.dtype), x)
    return x.mul_(scale) if inplace else x * scale


def channel_norm(x: Tensor) -> Tensor:
    """L2 norm over dim 1, one number per pixel, in float32 at least."""
    norm: Tensor = torch.linalg.vector_norm(x, dim=1, keepdim=True)
    return norm.float() if x.dtype in LOW else norm


def _inverse_norm(x: Tensor, eps: float) -> Tensor:
    return torch.rsqrt(channel_norm(x).square() / x.shape[1] + eps)


class _PixelNorm(torch.autograd.Function):
    """`pixel_norm` with an explicit gradient, in a third of the passes over x that autograd would take."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, eps: float) -> Tensor:
        inverse = _inverse_norm(x, eps)
        ctx.save_for_backward(x, inverse)
        ctx.eps = eps
        return x * resample.broadcast(inverse.to(x.dtype), x)

    @staticmethod
    def backward(ctx: Any, gy: Tensor) -> tuple[Tensor, None]:
        x, inverse = ctx.saved_tensors
        if torch.is_grad_enabled():  # to be differentiated again: `inverse` is detached from x
            y = x * _inverse_norm(x, ctx.eps).to(x.dtype)
            return torch.autograd.grad(y, x, gy, create_graph=True)[0], None
        along = (gy * x).sum(dim=1, keepdim=True).to(inverse.dtype)
        back = (inverse.pow(3) * along).div_(-x.shape[1])
        inverse, back = (resample.broadcast(value.to(x.dtype), x) for value in (inverse, back))
        return (gy * inverse).addcmul_(x, back), None


def stddev_group_size(n: int, most: int | None) -> int:
    """Images of a minibatch of `n` that form a group: the largest divisor of n that is at most `most`."""
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
    y = y.reshape(parts, size, -1, c, h, w)
    y = (y - y.mean(dim=1, keepdim=True)).square().mean(dim=1)
    y = (y + 1e-8).sqrt().mean(dim=(2, 3, 4))  # [parts, groups]
    y = y.unsqueeze(1).expand(-1, size, -1).reshape(n, 1, 1, 1).expand(-1, -1, h, w)
    return torch.cat([x, y.to(x.dtype)], dim=1)
