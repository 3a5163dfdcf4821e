"""3x3 convolutions in fewer multiplications (Winograd 1980; Lavin and Gray 2016), as matrix products.

The image is cut into overlapping tiles. Tiles and kernel are transformed and then multiplied elementwise, which for all
tiles and channels is one matrix product for each of the T numbers of a tile. F(2x2) takes 1/2.25 of the multiplications
of the plain form and is as accurate; F(4x4) takes a quarter and is five times less accurate, to about 1e-6. Where
arithmetic is slow compared with memory, as on processors with only AVX2, that is also the gain in time.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

POINTS = {2: (0.0, 1.0, -1.0), 4: (0.0, 0.75, -0.75, 1.5, -1.5)}
"""Points, besides infinity, at which the polynomials of F(m) are evaluated. For F(4) these lose half as much accuracy
as 1 and 2, and are exact in binary."""

TOGETHER = 2**26
"""Maximum bytes of transformed images that are computed together."""


def transforms(m: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Toom-Cook matrices of F(m, 3) in one dimension: input [m+2, m+2], kernel [m+2, 3], output [m, m+2].

    ``output @ ((kernel @ w) * (input @ x))`` is x convolved with w.
    """
    points = np.array(POINTS[m])
    at_infinity = np.eye(m + 2)[-1:]
    others = [np.delete(points, i) for i in range(len(points))]
    norms = np.array([np.prod(p - rest) for p, rest in zip(points, others, strict=True)])
    inputs = [np.append(np.poly(rest)[::-1], 0) for rest in others] + [np.poly(points)[::-1]]
    kernel = np.vstack([points[:, None] ** np.arange(3) / norms[:, None], [[0, 0, 1]]])
    output = np.vstack([points[:, None] ** np.arange(m), at_infinity[:, 2:]]).T
    return np.stack(inputs), kernel, output


class Winograd:
    """F(m x m, 3 x 3) for channels-last images whose sides are multiples of m. Kernels are [T, O, I], T = (m + 2)^2."""

    def __init__(self, m: int) -> None:
        self.m = m
        self.family = f"winograd {m}"

    @cached_property
    def matrices(self) -> tuple[Tensor, Tensor, Tensor]:
        """Matrices for input [T, T], kernel [T, 9] and output [m^2, T], in both dimensions at once."""
        inputs, kernel, output = (torch.from_numpy(np.kron(one, one)) for one in transforms(self.m))
        return inputs, kernel, output

    def kernel(self, weight: Tensor) -> Tensor:
        """[T, O, I]."""
        o, i = weight.shape[:2]
        taps = weight.permute(2, 3, 0, 1).reshape(9, o * i)
        return (self.matrices[1].to(weight) @ taps).view(-1, o, i)

    def adjoint(self, gradient: Tensor, shape: torch.Size) -> Tensor:
        """[O, I, 3, 3], channels last."""
        taps = self.matrices[1].to(gradient).T @ gradient.flatten(1)
        return taps.view(3, 3, *shape[:2]).permute(2, 0, 1, 3).contiguous().permute(0, 3, 1, 2)

    def forward(self, x: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
        """[N, O, H, W]."""
        matrix, transposed = self.matrices[2].to(x), kernel.transpose(1, 2)
        parts = [
            self._whole(matrix @ torch.bmm(self._of_input(some), transposed).flatten(1), some.shape, len(kernel[0]))
            for some in torch.split(x, self._at_once(x, kernel))
        ]
        y = parts[0] if len(parts) == 1 else torch.cat(parts)
        return y if bias is None else y.add_(bias[:, None, None])

    def grad_input(self, gy: Tensor, kernel: Tensor, shape: torch.Size) -> Tensor:
        """[N, I, H, W]."""
        matrix = self.matrices[0].to(gy).T
        parts = [
            self._overlapped(matrix @ torch.bmm(self._of_output(some), kernel).flatten(1), [len(some), *shape[1:]])
            for some in torch.split(gy, self._at_once(gy, kernel))
        ]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def grad_weight(self, x: Tensor, gy: Tensor, kernel: Tensor) -> Tensor:
        """Shaped like the kernel."""
        count = self._at_once(x, kernel)
        gradient = torch.zeros_like(kernel)
        for some, of_some in zip(torch.split(x, count), torch.split(gy, count), strict=True):
            gradient.baddbmm_(self._of_output(of_some).transpose(1, 2), self._of_input(some))
        return gradient

    def _at_once(self, x: Tensor, kernel: Tensor) -> int:
        """How many images are transformed together."""
        return max(1, int(TOGETHER / self.image_bytes(x, max(kernel.shape[1:]))))

    def image_bytes(self, x: Tensor, channels: int) -> float:
        """Bytes of one transformed image of the size of those of x, with this many channels."""
        return (1 + 2 / self.m) ** 2 * x.shape[-1] * x.shape[-2] * channels * x.element_size()

    def _of_input(self, x: Tensor) -> Tensor:
        """Transformed tiles of the input: [T, tiles, I]."""
        n, channels, h, w = x.shape
        m, side = self.m, self.m + 2
        around = F.pad(x.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 1))
        tiles = around.unfold(1, side, m).unfold(2, side, m)  # [N, H / m, W / m, I, side, side]
        tiles = tiles.permute(4, 5, 0, 1, 2, 3).reshape(side * side, -1)
        return (self.matrices[0].to(x) @ tiles).view(side * side, n * (h // m) * (w // m), channels)

    def _of_output(self, gy: Tensor) -> Tensor:
        """Transformed tiles of the output's gradient: [T, tiles, O]."""
        n, channels, h, w = gy.shape
        m = self.m
        tiles = gy.permute(0, 2, 3, 1).reshape(n, h // m, m, w // m, m, channels).permute(2, 4, 0, 1, 3, 5)
        return (self.matrices[2].to(gy).T @ tiles.reshape(m * m, -1)).view(-1, n * (h // m) * (w // m), channels)

    def _whole(self, tiles: Tensor, shape: torch.Size, channels: int) -> Tensor:
        """Images assembled from their tiles [m^2, ...]."""
        n, _, h, w = shape
        m = self.m
        # A new tensor, not a view of one: activations work on it in place.
        image = torch.empty(
            n, channels, h, w, dtype=tiles.dtype, device=tiles.device, memory_format=torch.channels_last
        )
        places = image.permute(0, 2, 3, 1).view(n, h // m, m, w // m, m, channels)
        places.copy_(tiles.view(m, m, n, h // m, w // m, channels).permute(2, 3, 0, 4, 1, 5))
        return image

    def _overlapped(self, tiles: Tensor, shape: Sequence[int]) -> Tensor:
        """Images as sums of tiles [T, ...] that overlap by two: the adjoint of cutting."""
        n, channels, h, w = shape
        m = self.m
        tiles = tiles.view(m + 2, m + 2, n, h // m, w // m, channels).permute(2, 3, 0, 4, 1, 5)
        image = tiles.new_zeros(n, h // m + 1, m, w // m + 1, m, channels)
        for rows, row in ((slice(m), slice(None, -1)), (slice(m, None), slice(1, None))):
            for columns, column in ((slice(m), slice(None, -1)), (slice(m, None), slice(1, None))):
                part = tiles[:, :, rows, :, columns]
                image[:, row, : part.shape[2], column, : part.shape[4]] += part
        image = image.view(n, h + m, w + m, channels)[:, 1 : h + 1, 1 : w + 1]
        return image.permute(0, 3, 1, 2)
