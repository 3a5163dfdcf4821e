"""Convolutions by the library's own primitives, alone or fused with upscaling or downscaling."""

from __future__ import annotations

import math
from functools import cache
from itertools import product

import torch
from torch import Tensor
from torch.nn import functional as F

from growgan.networks import resample

LANES = 16
"""Input channels are zero-padded to a multiple of this: with D's unpadded 513 at 4x4 the weight gradient in float32
takes 2.8 times as long, 11.0 instead of 3.9 ms; the other products take the same time."""

NARROW = 16
"""Below this many outputs, such as colours, the weight gradient of a 1x1 convolution is a matrix product: the primitive
pads them to this many, and takes six times as long once its operands have left the cache."""

backward = torch.ops.aten.convolution_backward.default


class Direct:
    """A 1x1 or 3x3 convolution that keeps the size."""

    family = "direct"

    def kernel(self, weight: Tensor) -> Tensor:
        """[O, I', K, K], where I' is a multiple of `LANES` if I is larger than that."""
        inputs = weight.shape[1]
        return F.pad(weight, (0, 0, 0, 0, 0, -inputs % LANES)) if inputs > LANES and inputs % LANES else weight

    def adjoint(self, gradient: Tensor, shape: torch.Size) -> Tensor:
        """The gradient with respect to the weight, without the padding."""
        return gradient[:, : shape[1]]

    def forward(self, x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
        """[N, O, H, W]."""
        return F.conv2d(_filled(x, kernel), kernel, bias, padding=kernel.shape[-1] // 2)

    def grad_input(self, gy: Tensor, kernel: Tensor, shape: torch.Size) -> Tensor:
        """[N, I, H, W]."""
        size = torch.Size((shape[0], kernel.shape[1], *shape[2:]))
        return _grad_input(gy, kernel, size, stride=1, padding=kernel.shape[-1] // 2)[:, : shape[1]]

    def grad_weight(self, x: Tensor, gy: Tensor, kernel: Tensor) -> Tensor:
        """Shaped like the kernel."""
        if kernel.shape[-1] == 1 and kernel.shape[0] < NARROW:
            return torch.bmm(_pixels(gy).mT, _pixels(x)).sum(dim=0)[:, :, None, None]
        return _grad_weight(gy, _filled(x, kernel), kernel, stride=1, padding=kernel.shape[-1] // 2)


class ChannelsFirst(Direct):
    """The same, but the weight gradient is computed with images converted to channels first."""

    def grad_weight(self, x: Tensor, gy: Tensor, kernel: Tensor) -> Tensor:
        """Shaped like the kernel."""
        return super().grad_weight(x.contiguous(), gy.contiguous(), kernel.contiguous())


class Im2col(Direct):
    """The same as matrix products with im2col's columns: for small images the primitives take up to twice as long."""

    def forward(self, x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
        """[N, O, H, W]."""
        columns = _im2col(F.pad(_filled(x, kernel), (1, 1, 1, 1)))
        return _product(columns, kernel.permute(2, 3, 1, 0).flatten(0, 2), bias, (x.shape[0], *x.shape[2:]))

    def grad_input(self, gy: Tensor, kernel: Tensor, shape: torch.Size) -> Tensor:
        """[N, I, H, W]."""
        around = _transposed(gy, kernel, stride=1)
        return around[:, : shape[1], 1:-1, 1:-1].contiguous(memory_format=torch.channels_last)

    def grad_weight(self, x: Tensor, gy: Tensor, kernel: Tensor) -> Tensor:
        """[O, I, 3, 3], channels last."""
        gradient = _rows(gy).T @ _im2col(F.pad(x, (1, 1, 1, 1)))
        return gradient.view(-1, 3, 3, x.shape[1]).permute(0, 3, 1, 2)


class Dense:
    """A dense layer: x [N, I], weight [O, I]."""

    family = "dense"

    def kernel(self, weight: Tensor) -> Tensor:
        """[O, I]."""
        return weight

    def adjoint(self, gradient: Tensor, shape: torch.Size) -> Tensor:
        """[O, I]."""
        return gradient

    def forward(self, x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
        """[N, O]."""
        return F.linear(x, kernel, bias)

    def grad_input(self, gy: Tensor, kernel: Tensor, shape: torch.Size) -> Tensor:
        """[N, I]."""
        return gy @ kernel

    def grad_weight(self, x: Tensor, gy: Tensor, kernel: Tensor) -> Tensor:
        """[O, I]."""
        return gy.T @ x


class Up:
    """`resample.upscale`, then a 3x3 convolution, in a quarter of the work.

    Upscaling inserts zeros between the pixels and then sums 2x2 boxes; the convolution may come before the box sums as
    well as after them, and before them it can skip the zeros.
    """

    family = "up"

    def kernel(self, weight: Tensor) -> Tensor:
        """[I, O, 3, 3]: a transposed convolution flips its kernel."""
        return weight.flip(2, 3).transpose(0, 1)

    def adjoint(self, gradient: Tensor, shape: torch.Size) -> Tensor:
        """[O, I, 3, 3]."""
        return gradient.transpose(0, 1).flip(2, 3)

    def forward(self, x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
        """[N, O, 2H, 2W]."""
        return resample.box_sum(F.conv_transpose2d(x, kernel, stride=2), bias=bias)

    def grad_input(self, gy: Tensor, kernel: Tensor, shape: torch.Size) -> Tensor:
        """[N, I, H, W]."""
        return F.conv2d(resample.box_sum(gy, edges=True), kernel, stride=2)

    def grad_weight(self, x: Tensor, gy: Tensor, kernel: Tensor) -> Tensor:
        """Shaped like the kernel: x here takes the place of the plain convolution's output gradient."""
        return _grad_weight(x, resample.box_sum(gy, edges=True), kernel, stride=2, padding=0)


class UpIm2col(Up):
    """The same as matrix products, like `Im2col`: for small images the primitives take two to four times as long."""

    def forward(self, x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
        """[N, O, 2H, 2W]."""
        return resample.box_sum(_transposed(x, kernel, stride=2), bias=bias)

    def grad_input(self, gy: Tensor, kernel: Tensor, shape: torch.Size) -> Tensor:
        """[N, I, H, W]."""
        return _strided(resample.box_sum(gy, edges=True), kernel, None)

    def grad_weight(self, x: Tensor, gy: Tensor, kernel: Tensor) -> Tensor:
        """[3, 3, O, I], the order that `adjoint` converts fastest."""
        gradient = _im2col(resample.box_sum(gy, edges=True), stride=2).T @ _rows(x)
        return gradient.view(3, 3, -1, x.shape[1])

    def adjoint(self, gradient: Tensor, shape: torch.Size) -> Tensor:
        """[O, I, 3, 3]."""
        return gradient.flip(0, 1).permute(2, 3, 0, 1)


class Down:
    """A 3x3 convolution, then `resample.downscale`, in a quarter of the work.

    First come the means of all 2x2 boxes, then the convolution with a stride of 2.
    """

    family = "down"

    def kernel(self, weight: Tensor) -> Tensor:
        """[O, I, 3, 3], a quarter of the weight."""
        return weight * 0.25

    def adjoint(self, gradient: Tensor, shape: torch.Size) -> Tensor:
        """[O, I, 3, 3]."""
        return gradient * 0.25

    def forward(self, x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
        """[N, O, H / 2, W / 2]."""
        return F.conv2d(resample.box_sum(x, edges=True), kernel, bias, stride=2)

    def grad_input(self, gy: Tensor, kernel: Tensor, shape: torch.Size) -> Tensor:
        """[N, I, H, W]."""
        return resample.box_sum(F.conv_transpose2d(gy, kernel, stride=2))

    def grad_weight(self, x: Tensor, gy: Tensor, kernel: Tensor) -> Tensor:
        """Shaped like the kernel."""
        return _grad_weight(gy, resample.box_sum(x, edges=True), kernel, stride=2, padding=0)


class DownIm2col(Down):
    """The same as matrix products."""

    def forward(self, x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
        """[N, O, H / 2, W / 2]."""
        return _strided(resample.box_sum(x, edges=True), kernel, bias)

    def grad_input(self, gy: Tensor, kernel: Tensor, shape: torch.Size) -> Tensor:
        """[N, I, H, W]."""
        return resample.box_sum(_transposed(gy, kernel, stride=2))

    def grad_weight(self, x: Tensor, gy: Tensor, kernel: Tensor) -> Tensor:
        """Shaped like the kernel."""
        gradient = _rows(gy).T @ _im2col(resample.box_sum(x, edges=True), stride=2)
        return gradient.view(-1, 3, 3, x.shape[1]).permute(0, 3, 1, 2)


class WideUp:
    """`Up` as one transposed convolution, whose 4x4 kernel is the 3x3 one with the box sums included.

    Nearly twice the multiplications of `Up`, but no extra passes over images: multiplications are not what limits a
    GPU.
    """

    family = "wide up"

    def kernel(self, weight: Tensor) -> Tensor:
        """[I, O, 4, 4]."""
        return _taps(weight, _widened(weight).flip(0)).transpose(0, 1)

    def adjoint(self, gradient: Tensor, shape: torch.Size) -> Tensor:
        """[O, I, 3, 3]."""
        return _taps(gradient.transpose(0, 1), _widened(gradient).flip(0).T)

    def forward(self, x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
        """[N, O, 2H, 2W]."""
        return F.conv_transpose2d(x, kernel, bias, stride=2, padding=1)

    def grad_input(self, gy: Tensor, kernel: Tensor, shape: torch.Size) -> Tensor:
        """[N, I, H, W]."""
        return F.conv2d(gy, kernel, stride=2, padding=1)

    def grad_weight(self, x: Tensor, gy: Tensor, kernel: Tensor) -> Tensor:
        """Shaped like the kernel."""
        return _grad_weight(x, gy, kernel, stride=2, padding=1)


class WideDown:
    """Like `WideUp`, for `Down`."""

    family = "wide down"

    def kernel(self, weight: Tensor) -> Tensor:
        """[O, I, 4, 4], a quarter of the sums."""
        return _taps(weight, _widened(weight) * 0.25)

    def adjoint(self, gradient: Tensor, shape: torch.Size) -> Tensor:
        """[O, I, 3, 3]."""
        return _taps(gradient, _widened(gradient).T * 0.25)

    def forward(self, x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
        """[N, O, H / 2, W / 2]."""
        return F.conv2d(x, kernel, bias, stride=2, padding=1)

    def grad_input(self, gy: Tensor, kernel: Tensor, shape: torch.Size) -> Tensor:
        """[N, I, H, W]."""
        return F.conv_transpose2d(gy, kernel, stride=2, padding=1)

    def grad_weight(self, x: Tensor, gy: Tensor, kernel: Tensor) -> Tensor:
        """Shaped like the kernel."""
        return _grad_weight(gy, x, kernel, stride=2, padding=1)


@cache
def _boxes(device: torch.device, dtype: torch.dtype) -> Tensor:
    """The matrix [16, 9] that includes the box sums: from the taps of a 3x3 kernel to those of a 4x4 one."""
    with torch.inference_mode(False):
        taps = torch.eye(9, dtype=dtype, device=device).view(9, 1, 3, 3)
        return resample.box_sum(taps, edges=True).flatten(1).T.contiguous()


def _widened(kernel: Tensor) -> Tensor:
    return _boxes(kernel.device, kernel.dtype)


def _taps(kernel: Tensor, matrix: Tensor) -> Tensor:
    """Multiply every kernel's taps [K K] by a matrix [K' K', K K]: [O, I, K, K] to [O, I, K', K'], channels last."""
    taps = matrix @ kernel.permute(0, 2, 3, 1).flatten(1, 2)  # [O, K' K', I]
    side = math.isqrt(len(matrix))
    return taps.view(len(taps), side, side, -1).permute(0, 3, 1, 2)


def _im2col(x: Tensor, stride: int = 1) -> Tensor:
    """The 3x3 patch of x at every output pixel: [N H' W', 9 C], taps row by row, channels last."""
    patches = x.permute(0, 2, 3, 1).unfold(1, 3, stride).unfold(2, 3, stride)  # [N, H', W', C, 3, 3]
    return patches.permute(0, 1, 2, 4, 5, 3).flatten(0, 2).flatten(1)


def _strided(x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
    """Like `F.conv2d` with a stride of 2: [N, C, 2H + 1, 2W + 1] and [O, C, 3, 3] to [N, O, H, W]."""
    n, _, h, w = x.shape
    return _product(_im2col(x, stride=2), kernel.permute(2, 3, 1, 0).flatten(0, 2), bias, (n, h // 2, w // 2))


def _transposed(x: Tensor, kernel: Tensor, stride: int) -> Tensor:
    """Like `F.conv_transpose2d`, the adjoint of `F.conv2d` without padding: [N, O, H, W] to [N, C, H', W'].

    Overlapping taps are summed in float32 at least.
    """
    n, _, h, w = x.shape
    taps = (_rows(x) @ kernel.permute(0, 2, 3, 1).flatten(1)).view(n, h, w, 3, 3, -1)
    below, right = stride * (h - 1) + 1, stride * (w - 1) + 1
    exact = torch.promote_types(x.dtype, torch.float32)
    y = x.new_zeros((n, below + 2, right + 2, taps.shape[-1]), dtype=exact)
    for i, j in product(range(3), repeat=2):
        y[:, i : i + below : stride, j : j + right : stride] += taps[:, :, :, i, j]
    return y.to(x.dtype).permute(0, 3, 1, 2)


def _product(rows: Tensor, matrix: Tensor, bias: Tensor | None, places: tuple[int, int, int]) -> Tensor:
    """Multiply rows, one per pixel of [N, H, W], by a matrix and add a bias: images [N, C, H, W]."""
    n, h, w = places
    y = torch.empty((n, matrix.shape[1], h, w), dtype=rows.dtype, memory_format=torch.channels_last)
    out = _rows(y)  # the result itself must not be a view
    torch.mm(rows, matrix, out=out) if bias is None else torch.addmm(bias, rows, matrix, out=out)
    return y


def _rows(x: Tensor) -> Tensor:
    """[N H W, C]."""
    return _pixels(x).flatten(0, 1)


def _pixels(x: Tensor) -> Tensor:
    """[N, H W, C]."""
    return x.permute(0, 2, 3, 1).flatten(1, 2)


def _filled(x: Tensor, kernel: Tensor) -> Tensor:
    missing = kernel.shape[1] - x.shape[1]
    return F.pad(x, (0, 0, 0, 0, 0, missing)) if missing else x


def _grad_input(gy: Tensor, kernel: Tensor, size: torch.Size, stride: int, padding: int) -> Tensor:
    mask = [True, False, False]
    like = _sized(gy, size)
    found: Tensor = backward(gy, like, kernel, None, [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], 1, mask)[0]
    return found


def _sized(tensor: Tensor, size: torch.Size) -> Tensor:
    """A tensor of this size whose values are never read, in the given tensor's own memory if that suffices.

    It must be laid out as images are; otherwise PyTorch would make a copy as large as an image's features.
    """
    if tensor.numel() < size.numel() or not tensor.is_contiguous(memory_format=torch.channels_last):
        return torch.empty(size, dtype=tensor.dtype, device=tensor.device, memory_format=torch.channels_last)
    _, channels, h, w = size
    return tensor.as_strided(size, (channels * h * w, 1, w * channels, channels))


def _grad_weight(gy: Tensor, x: Tensor, kernel: Tensor, stride: int, padding: int) -> Tensor:
    mask = [False, True, False]
    found: Tensor = backward(gy, x, kernel, None, [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], 1, mask)[1]
    return found
