"""Projection of photographs to latents: gradient descent on the generator's inputs (Zhu et al. 2016).

First on the latent alone, from several of the nearest seeds at once; then, unless it is left out, on an offset to the
first layer's output, which makes pictures that no latent makes (as Abdal et al. 2019 leave StyleGAN's own space).

Pictures are compared by the levels of their Laplacian pyramids (L1, as Bojanowski et al. 2018) and, if the file has D,
by D's features at every size from 8x8, each position normalised to a root mean square of 1, squared (Zhang et al.
2018).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from growgan.core.errors import ConfigError
from growgan.editing.projected import Point
from growgan.networks.discriminator import Discriminator
from growgan.networks.resample import downscale, upscale
from growgan.sampling.latents import Label
from growgan.sampling.model import Model

TOGETHER = 4
"""Nearest seeds from which one photograph is optimised at once; the best result is kept."""
SMALL = 32
"""Pixels per side at which photographs are compared with the pictures of many seeds."""
FEATURES = 0.2
"""Weight of D's features relative to the pyramid."""
FREEDOM = 0.05
"""Weight of the offset's mean square, relative to that of the first layer's output."""
RATES = 0.1, 0.02
"""Adam's peak learning rates: for the latent, and for the offset in root mean squares of the layer's output."""
RISE = 0.05
"""Fraction of the steps in which the rate rises; over all of them it falls by half a cosine."""
NOISE, NOISY = 0.3, 0.5
"""Initial standard deviation of the noise on the latent, and the fraction of the steps after which it is gone."""
TINY = 1e-8
BEYOND = 0.01
"""How far a photograph may be out of range, because of rounding or a filter's overshoot."""


class Projector:
    """Projects photographs into one model."""

    def __init__(
        self,
        model: Model,
        *,
        starts: int = 500,
        steps: int = 300,
        free: bool = True,
        label: Label | str | None = None,
        batch: int = TOGETHER,
        advance: Callable[[int], object] = lambda n: None,
    ) -> None:
        """starts: number of seeds, of which the nearest are used. steps: for the latent, and as many for the offset.

        free: whether there is an offset. label: one for all, instead of those of the seeds. batch: pictures computed at
        once, which affects memory and, except for rounding, nothing else. advance: called with the number of seed
        pictures made. Raises `ConfigError`.
        """
        if min(starts, steps, batch) < 1:
            raise ConfigError(f"starts, steps and batch must be at least 1, not {starts}, {steps} and {batch}")
        self.model, self.steps, self.free, self.batch = model, steps, free, batch
        self.distance = Distance(model.discriminator(), model.G.alpha)
        z, labels = model.draw(range(starts), label)
        self._z, self._labels = z, labels
        self._small = torch.cat(list(self._pictures(advance)))

    @property
    def work(self) -> int:
        """Steps per photograph."""
        return self.steps * (2 if self.free else 1)

    def __call__(self, photo: Tensor, advance: Callable[[], object] = lambda: None) -> Point:
        """Project a photograph, float [C, S, S] in [-1, 1], at the model's size. advance: called after every step.

        Raises `ConfigError` if it has another shape or type.
        """
        wanted = [self.model.spec.channels, self.model.resolution, self.model.resolution]
        if not isinstance(photo, Tensor) or list(photo.shape) != wanted or not photo.is_floating_point():
            given = f"{list(photo.shape)} of {photo.dtype}" if hasattr(photo, "dtype") else type(photo).__name__
            raise ConfigError(f"this model takes photographs {wanted} of torch floats in [-1, 1], not {given}")
        if not bool((photo.abs() <= 1 + BEYOND).all()):
            raise ConfigError("photographs are floats in [-1, 1], and these go beyond: use `to_photo` for bytes")
        device = self.model.device
        with torch.inference_mode(False), torch.autocast(device.type, enabled=False):  # whatever the caller's modes
            return self._point(photo.to(device, torch.float32, copy=True)[None], advance)

    def _point(self, photo: Tensor, advance: Callable[[], object]) -> Point:
        near = self._nearest(photo)
        labels = torch.from_numpy(self._labels[near]).to(photo.device) if self._labels is not None else None
        with torch.enable_grad():
            z, best = self._latent(photo, torch.from_numpy(self._z[near]).to(photo.device), labels, advance)
            base = self.model.G.first(z, labels[best : best + 1] if labels is not None else None).detach()
            offset = self._offset(photo, base, advance) if self.free else None
        with torch.no_grad():
            found = self.model.G.synthesize(base if offset is None else base + offset)
            error = float((found.clamp(-1, 1) - photo).square().mean().sqrt()) * 127.5
        label = self._labels[near[best]] if self._labels is not None else None
        return Point(_array(z[0]), label, _array(offset[0]) if offset is not None else None, error)

    @torch.no_grad()
    def _pictures(self, advance: Callable[[int], object]) -> Iterator[Tensor]:
        """The pictures of all starts, downscaled."""
        device = self.model.device
        for start in range(0, len(self._z), self.batch):
            some = slice(start, start + self.batch)
            labels = torch.from_numpy(self._labels[some]).to(device) if self._labels is not None else None
            with torch.autocast(device.type, enabled=False):
                yield _shrunk(self.model.G(torch.from_numpy(self._z[some]).to(device), labels))
            advance(len(self._z[some]))

    @torch.no_grad()
    def _nearest(self, photo: Tensor) -> list[int]:
        """Indices of the starts whose pictures are nearest."""
        wanted = pyramid(_shrunk(photo))
        distances = torch.cat([absolute(pyramid(some), wanted) for some in torch.split(self._small, 64)])
        near: list[int] = distances.topk(min(TOGETHER, len(distances)), largest=False).indices.tolist()
        return near

    def _latent(
        self, photo: Tensor, z: Tensor, labels: Tensor | None, advance: Callable[[], object]
    ) -> tuple[Tensor, int]:
        """The best latent [1, L] reached from several, and the index of the one it started from."""
        random = torch.Generator("cpu").manual_seed(0)
        length = z.norm(dim=1, keepdim=True)  # kept at that of a seed, where a normal distribution has its mass
        z = z.clone().requires_grad_()
        wanted = self.distance.describe(photo)
        optimizer = torch.optim.Adam([z], betas=(0.9, 0.99))
        parts = [slice(start, start + self.batch) for start in range(0, len(z), self.batch)]
        for step in range(self.steps):
            t = step / self.steps
            drawn = torch.randn(z.shape, generator=random, dtype=z.dtype, device="cpu").to(z.device)
            noise = NOISE * max(0.0, 1 - t / NOISY) ** 2 * drawn
            optimizer.param_groups[0]["lr"] = RATES[0] * _pace(t)
            optimizer.zero_grad()
            for some in parts:  # their gradients are independent
                far = self._far((z + noise)[some], labels[some] if labels is not None else None, photo, wanted)
                far.sum().backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            with torch.no_grad():
                z.mul_(length / z.norm(dim=1, keepdim=True))
            advance()
        with torch.no_grad():
            last = [self._far(z[some], labels[some] if labels is not None else None, photo, wanted) for some in parts]
        best = int(torch.cat(last).argmin())
        return z[best : best + 1].detach(), best

    def _far(self, z: Tensor, labels: Tensor | None, photo: Tensor, wanted: Description) -> Tensor:
        """Distances [N] of the latents' pictures from the photograph."""
        return self.distance(shown(self.model.G(z, labels), photo), wanted)

    def _offset(self, photo: Tensor, base: Tensor, advance: Callable[[], object]) -> Tensor:
        """The offset to add to the first layer's output [1, width, 4, 4]."""
        wanted = self.distance.describe(photo)
        size = base.square().mean().sqrt()  # 1 where a norm follows the layer
        offset = torch.zeros_like(base).requires_grad_()
        optimizer = torch.optim.Adam([offset], betas=(0.9, 0.99))
        for step in range(self.steps):
            optimizer.param_groups[0]["lr"] = RATES[1] * _pace(step / self.steps)
            optimizer.zero_grad()
            far = self.distance(shown(self.model.G.synthesize(base + size * offset), photo), wanted).sum()
            (far + FREEDOM * offset.square().mean()).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            advance()
        return size * offset.detach()


Description = tuple[list[Tensor], list[Tensor]]
"""What pictures are compared by: the levels of their pyramids, and D's features."""


class Distance:
    """The distance between pictures, by pyramids and by D's features."""

    def __init__(self, D: Discriminator | None, alpha: float = 1.0) -> None:
        self.D, self.alpha = D, alpha

    def describe(self, x: Tensor) -> Description:
        """The description of pictures [N, C, S, S]."""
        return pyramid(x), self._features(x)

    def __call__(self, x: Tensor, wanted: Description) -> Tensor:
        """Distances [N] of pictures to a description of as many pictures, or of one."""
        levels, features = self.describe(x)
        far = absolute(levels, wanted[0])
        return far + FEATURES * squared(features, wanted[1]) if features else far

    def _features(self, x: Tensor) -> list[Tensor]:
        """Inputs of the first convolution of each of D's stages, each position scaled to a root mean square of 1."""
        found: list[Tensor] = []

        def look(name: str, features: Tensor) -> Tensor:
            if name.endswith("conv0"):
                found.append(features * (features.square().mean(1, keepdim=True) + TINY).rsqrt())
            return features

        if self.D is not None:
            self.D(x, alpha=self.alpha, on_input=look)
        return found


def shown(x: Tensor, photo: Tensor) -> Tensor:
    """Pictures as compared with a photograph: where it is fully dark or light, values beyond that do not count."""
    return torch.where((photo.abs() >= 1) & (x * photo > 1), photo, x)


def absolute(a: list[Tensor], b: list[Tensor]) -> Tensor:
    """Sums [N] over tensors [N, C, H, W] of their mean absolute differences."""
    return torch.stack([(one - other).abs().mean((1, 2, 3)) for one, other in zip(a, b, strict=True)]).sum(0)


def squared(a: list[Tensor], b: list[Tensor]) -> Tensor:
    """Sums [N] over tensors [N, C, H, W] of their mean squared differences."""
    return torch.stack([(one - other).square().mean((1, 2, 3)) for one, other in zip(a, b, strict=True)]).sum(0)


def pyramid(x: Tensor) -> list[Tensor]:
    """The Laplacian pyramid of [N, C, S, S]: each size minus its 2x2 box means, and the last 4x4 pixels."""
    levels = []
    while x.shape[-1] > 4:
        smaller = downscale(x)
        levels.append(x - upscale(smaller))
        x = smaller
    return [*levels, x]


def _shrunk(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, x.shape[-1] // SMALL) if x.shape[-1] > SMALL else x


def _pace(t: float) -> float:
    return min(1.0, t / RISE + 0.01) * (0.5 + 0.5 * math.cos(math.pi * t))


def _array(x: Tensor) -> np.ndarray:
    return np.ascontiguousarray(x.float().cpu().numpy())


def to_photo(pixels: np.ndarray) -> Tensor:
    """Uint8 [C, S, S] as floats in [-1, 1]."""
    return torch.from_numpy(pixels.astype(np.float32)) / 127.5 - 1
