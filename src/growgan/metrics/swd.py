"""Sliced Wasserstein distance between two sets of images (ProGAN, section 5).

Every image becomes a Laplacian pyramid, every level of it 128 patches of 7x7 pixels. A distance for each level compares
the patches of two sets along 512 random directions: the level of 16 pixels reflects large shapes, the finest level
sharpness and noise. The distance falls as the number of images grows, so only sets of equal size are compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from growgan.core.errors import ConfigError

T = TypeVar("T")

PATCH = 7
PATCHES_PER_IMAGE = 128
CHANNELS = 3
DIMENSIONS = CHANNELS * PATCH * PATCH
COARSEST = 16
REPEATS = 4
DIRECTIONS = 128

# Images are always processed in these blocks, however they arrive: the same images give the same bits, and 2,048
# descriptors at a time stay in a processor's cache while they are projected.
BLOCK_IMAGES = 16
# For what is not counted: 16 images in float32 at every step of the pyramid, and the gaps that they leave in the heap.
MARGIN = 1.5
# Directions processed at once. The projections of 2 x 16,384 images onto 64 directions are 1 GiB.
DIRECTIONS_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class SwdResult:
    """Distances times 1000, as the paper prints them; 0 is a perfect match."""

    levels: dict[int, float]
    """Pixels of a pyramid level -> its distance, from the full resolution down."""
    average: float
    """The mean over the levels."""


class Descriptors:
    """The patches of one set of images, gathered batch by batch.

    Memory: 37 kB per image and level. Patches are kept in float16, whose rounding (2e-4 of a value) is far below the
    distance that chance alone leaves between two sets; all arithmetic on them is in float32 or float64.

    seed: determines where the patches lie. The two sets of a comparison use different seeds, as the definition draws
    the positions of each set independently.
    """

    def __init__(self, seed: int, device: torch.device | str = "cpu") -> None:
        self.seed = seed
        self.device = torch.device(device)
        self.images = 0
        self.resolution = 0  # pixels; 0 until the first batch
        self._pending = torch.empty(0, dtype=torch.uint8, device=self.device)  # of a block that is not full yet
        self._blocks: list[list[Tensor]] = []  # block, level -> [patches, DIMENSIONS] float16

    def add(self, images: Tensor | np.ndarray[Any, Any]) -> None:
        """Take uint8 images [N, C, S, S] of 0..255, C 1 or 3, S a power of two of at least 8 pixels."""
        # np.array: torch warns of read-only pixels, such as Pillow's, unless they are copied.
        batch = torch.as_tensor(np.array(images) if isinstance(images, np.ndarray) else images, device=self.device)
        _check(batch, self.resolution)
        batch = batch.expand(-1, CHANNELS, -1, -1)
        self.resolution = batch.shape[-1]
        self.images += len(batch)
        waiting = torch.cat([self._pending.view(-1, *batch.shape[1:]), batch])
        full = len(waiting) // BLOCK_IMAGES
        first = len(self._blocks)
        blocks = [waiting[k * BLOCK_IMAGES : (k + 1) * BLOCK_IMAGES] for k in range(full)]
        self._blocks += _side_by_side(self._describe, blocks, range(first, first + full), device=self.device)
        self._pending = waiting[full * BLOCK_IMAGES :].clone()

    @property
    def levels(self) -> list[int]:
        """Sizes in pixels of the pyramid levels, full resolution first."""
        return pyramid_sizes(self.resolution)

    @property
    def nbytes(self) -> int:
        """Bytes that the patches occupy."""
        return self._pending.nbytes + sum(level.nbytes for block in self._blocks for level in block)

    def level(self, index: int) -> list[Tensor]:
        """Return the patches of one level, block by block: [patches, DIMENSIONS] float16, channels outermost."""
        blocks = [block[index] for block in self._blocks]
        if len(self._pending):
            blocks.append(self._describe(self._pending, len(self._blocks))[index])
        return blocks

    def _describe(self, images: Tensor, index: int) -> list[Tensor]:
        """Cut the patches of block number `index`: one [n * 128, DIMENSIONS] float16 per level."""
        positions = patch_positions(self.seed, index, self.levels)
        return [
            cut_patches(level.half(), at[: len(images)].to(self.device))
            for level, at in zip(laplacian_pyramid(images.float(), len(positions)), positions)
        ]


def swd(a: Descriptors, b: Descriptors, seed: int = 0) -> SwdResult:
    """Return the distance between two sets of equally many images of one size. seed: draws the directions."""
    if not a.images or (a.images, a.resolution) != (b.images, b.resolution):
        raise ConfigError(
            "SWD compares equal numbers of images of one size, not "
            f"{a.images} of {a.resolution} pixels and {b.images} of {b.resolution}"
        )
    levels: dict[int, float] = {}
    # One buffer for all projections: fresh memory for each would cost as much time as the sorting.
    rooms = torch.empty(2, DIRECTIONS_AT_ONCE, a.images * PATCHES_PER_IMAGE, device=a.device)
    for index, size in enumerate(a.levels):
        blocks_a, blocks_b = a.level(index), b.level(index)
        standard_a, standard_b = standardisation(blocks_a), standardisation(blocks_b)
        distances = []
        for some in draw_directions(seed, size).chunk(REPEATS * DIRECTIONS // DIRECTIONS_AT_ONCE):
            project(blocks_a, some, standard_a, out=rooms[0])
            project(blocks_b, some, standard_b, out=rooms[1])
            distances.append(mean_sorted_difference(rooms[0], rooms[1]))
        levels[size] = 1000 * torch.cat(distances).mean().item()
    return SwdResult(levels, sum(levels.values()) / len(levels))


def descriptor_bytes(images: int, resolution: int) -> int:
    """Return the bytes that a comparison of two sets of `images` takes: their patches, projection buffers, a margin.

    Measured: 0.40 MB per image of the two sets at 64x64, 0.22 MB at 32x32.
    """
    patches = images * PATCHES_PER_IMAGE
    levels = len(pyramid_sizes(resolution)) if resolution > PATCH else 0
    return int(MARGIN * 2 * patches * (DIMENSIONS * 2 * levels + DIRECTIONS_AT_ONCE * 4))


def pyramid_sizes(resolution: int) -> list[int]:
    """Return the levels of a resolution: itself and its halves down to 16; 8 pixels have one level."""
    halves = [resolution >> k for k in range(resolution.bit_length())]
    return [size for size in halves if size >= min(COARSEST, resolution)]


def laplacian_pyramid(images: Tensor, levels: int) -> Iterator[Tensor]:
    """Yield what each size adds to the next smaller one, then the smallest itself: float32 [N, C, S, S] of 0..255."""
    for _ in range(levels - 1):
        smaller = pyramid_down(images)
        yield images - pyramid_up(smaller)
        images = smaller
    yield images


def pyramid_down(images: Tensor) -> Tensor:
    """Blur with [1 4 6 4 1] / 16 both ways, mirrored at the border without repeating it, and keep the even pixels."""
    for axis in (2, 3):
        x = F.pad(images, (0, 0, 2, 2) if axis == 2 else (2, 2, 0, 0), mode="reflect").movedim(axis, 0)
        outer, inner = x[:-4:2] + x[4::2], x[1:-3:2] + x[3:-1:2]
        images = ((outer + 4 * inner + 6 * x[2:-2:2]) / 16).movedim(0, axis)
    return images


def pyramid_up(images: Tensor) -> Tensor:
    """Double the size: zeros between the pixels, then the same blur times 4.

    Written as the two phases that remain once the zeros are dropped: even pixels (x[-1] + 6 x[0] + x[1]) / 8, odd ones
    (x[0] + x[1]) / 2. Mirroring the stretched image about its last pixel, a zero, repeats the last pixel of this one.
    """
    for axis in (2, 3):
        x = images.movedim(axis, 0)
        x = torch.cat([x[1:2], x, x[-1:]])
        even = (x[:-2] + 6 * x[1:-1] + x[2:]) / 8
        odd = (x[1:-1] + x[2:]) / 2
        images = torch.stack([even, odd], 1).flatten(0, 1).movedim(0, axis)
    return images


def patch_positions(seed: int, block: int, sizes: list[int]) -> list[Tensor]:
    """Draw the top left corners (y, x) of a block's patches: int64 [BLOCK_IMAGES, 128, 2] per level, all inside."""
    rng = np.random.default_rng((seed, block))
    shape = (BLOCK_IMAGES, PATCHES_PER_IMAGE, 2)
    return [torch.from_numpy(rng.integers(0, size - PATCH + 1, shape)) for size in sizes]


def cut_patches(images: Tensor, corners: Tensor) -> Tensor:
    """Cut 7x7 patches out of images [N, C, S, S] at corners [N, P, 2]: [N * P, C * 49]."""
    windows = images.unfold(2, PATCH, 1).unfold(3, PATCH, 1).permute(0, 2, 3, 1, 4, 5)  # [N, y, x, C, 7, 7], a view
    image = torch.arange(len(images), device=images.device)[:, None]
    return windows[image, corners[..., 0], corners[..., 1]].flatten(0, 1).flatten(1)


def draw_directions(seed: int, size: int) -> Tensor:
    """Draw the unit vectors of one level, 4 repeats of 128: float64 [512, DIMENSIONS]."""
    rng = np.random.default_rng((seed, size))
    directions = torch.from_numpy(rng.standard_normal((REPEATS * DIRECTIONS, DIMENSIONS)))
    return F.normalize(directions)


def standardisation(blocks: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Return each colour's mean and 1 / standard deviation over the set, by dimension: float64 [DIMENSIONS] each."""
    weights = torch.tensor([len(block) for block in blocks], dtype=torch.float64)
    moments = [
        torch.var_mean(block.float().view(-1, CHANNELS, PATCH * PATCH), dim=(0, 2), correction=0) for block in blocks
    ]
    variances, means = (torch.stack(moment).cpu().double() for moment in zip(*moments))  # [blocks, CHANNELS]
    mean = weights @ means / weights.sum()
    variance = weights @ (variances + (means - mean).square()) / weights.sum()
    # A generator that draws one flat colour has no deviation; its patches stay at 0 and the distance stays finite.
    scale = torch.where(variance > 1e-8, variance, 1.0).rsqrt()
    return mean.repeat_interleave(PATCH * PATCH), scale.repeat_interleave(PATCH * PATCH)


def project(blocks: list[Tensor], directions: Tensor, standard: tuple[Tensor, Tensor], out: Tensor) -> None:
    """Project the standardised patches onto directions [K, DIMENSIONS] into `out`, float32 [K, patches].

    (x - mean) * scale . d = x . (scale * d) - mean . (scale * d), so the patches themselves are never rewritten.
    """
    mean, scale = standard
    weights = (directions * scale).to(out)
    offsets = -(directions * scale @ mean).to(out)[:, None]

    def fill(block: Tensor, start: int) -> None:
        torch.addmm(offsets, weights, block.float().T, out=out[:, start : start + len(block)])

    starts = range(0, out.shape[1], BLOCK_IMAGES * PATCHES_PER_IMAGE)
    _side_by_side(fill, blocks, starts, device=out.device)


def mean_sorted_difference(a: Tensor, b: Tensor) -> Tensor:
    """Return the Wasserstein-1 distance of each pair of rows [K, n]: float64 [K]. Overwrites both arguments."""
    return _sorted(a).sub_(_sorted(b)).abs_().mean(dim=1).cpu().double()


def _sorted(rows: Tensor) -> Tensor:
    if rows.device.type != "cpu":
        return rows.sort(dim=1).values
    # numpy sorts float32 with vector instructions, about 20 times as fast as torch, and lets other threads run.
    _side_by_side(np.ndarray.sort, rows.numpy(), device=rows.device)
    return rows


def _side_by_side(work: Callable[..., T], *arguments: Iterable[Any], device: torch.device) -> list[T]:
    """Map `work` over its arguments, on a CPU in as many threads as torch would use, each computing alone.

    Torch's own threads wait for one another after every operation; on cores shared with other processes, that is most
    of the time. Which thread takes what does not change a bit of the results.
    """
    threads = torch.get_num_threads()
    if device.type != "cpu" or threads == 1:
        return list(map(work, *arguments))
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(work, *arguments))
    finally:
        torch.set_num_threads(threads)


def _check(batch: Tensor, resolution: int) -> None:
    if batch.dtype != torch.uint8 or batch.ndim != 4 or batch.shape[1] not in (1, CHANNELS):
        raise ConfigError(f"SWD takes uint8 images [N, 1 or 3, S, S], not {batch.dtype} {[*batch.shape]}")
    height, width = batch.shape[2:]
    if height != width or height < PATCH + 1 or height & (height - 1):
        raise ConfigError(
            f"SWD needs square images of 8, 16, 32, ... pixels, as its patches are 7x7; these are {width}x{height}"
        )
    if resolution not in (0, height):
        raise ConfigError(f"SWD was given images of {resolution} and of {height} pixels in one set")
