"""Closed paths through latent space, a latent for each frame and cell of a film: the last frame leads to the first.

`smooth` is the release's film, `through` goes from picture to picture. Needs no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from growgan.core.config import NetworkSpec
from growgan.core.errors import ConfigError
from growgan.core.text import counted
from growgan.sampling import latents
from growgan.sampling.latents import Label

MOST = 2**28
"""Most numbers in a walk's latents, or in its offsets: 1 GiB."""
REACH = 4.0
"""Standard deviations at which the smoothing filter is cut off, as in SciPy, which the release uses."""


@dataclass(frozen=True)
class Walk:
    """The inputs of a film's pictures."""

    z: np.ndarray
    """Float32 [frames, cells, L]."""
    labels: np.ndarray | None
    """Int64 [frames, cells] or float32 [frames, cells, K]; None without labels."""
    offset: np.ndarray | None = None
    """Float32 [frames, cells, width, 4, 4], added to the first layer's output, for pictures that no latent produces."""

    def check(self, spec: NetworkSpec) -> None:
        """Raise `ConfigError` if these do not fit a model: wrong latent length, or labels that it does not have."""
        if self.z.ndim != 3 or self.z.shape[2] != spec.z_size:
            raise ConfigError(f"this model's latents are {spec.z_size} numbers each, not {self.z.shape[-1]}")
        labels = self.labels.reshape(-1, *self.labels.shape[2:]) if self.labels is not None else None
        latents.check_labels(labels, self.z.shape[0] * self.z.shape[1], spec)

    def each(self, change: Callable[[np.ndarray], np.ndarray]) -> Walk:
        """The walk with `change` applied to z, and to labels and offset if there are any."""
        labels, offset = (change(one) if one is not None else None for one in (self.labels, self.offset))
        return Walk(change(self.z), labels, offset)

    def cells(self, numbers: Sequence[int] | slice) -> Walk:
        """The walk of some of the cells."""
        return self.each(lambda one: one[:, numbers])

    def lasting(self, frames: int) -> Walk:
        """The first frame repeated `frames` times, without copying."""
        return self.each(lambda one: np.broadcast_to(one[:1], (frames, *one.shape[1:])))


def joined(walks: Sequence[Walk], spec: NetworkSpec) -> Walk:
    """The cells of several walks of one model, with equally many frames, side by side."""
    labels: list[np.ndarray] = [walk.labels for walk in walks if walk.labels is not None]
    if len({one.ndim for one in labels}) > 1:  # both classes and mixtures
        labels = [np.eye(spec.num_labels, dtype=np.float32)[one] if one.ndim == 2 else one for one in labels]
    offsets = [walk.offset for walk in walks]
    like = next((one for one in offsets if one is not None), None)
    if like is not None:
        none = [np.zeros((*walk.z.shape[:2], *like.shape[2:]), dtype=np.float32) for walk in walks]
        offsets = [zero if one is None else one for one, zero in zip(offsets, none, strict=True)]
    z, label, offset = (
        np.concatenate([one for one in some if one is not None], 1) if some and some[0] is not None else None
        for some in ([walk.z for walk in walks], labels, offsets)
    )
    assert z is not None
    return Walk(z, label, offset)


def still(seeds: Sequence[int], spec: NetworkSpec, distribution: dict[str, Any], *, label: Label | None = None) -> Walk:
    """One frame with a cell for each seed. label: one for all, instead of each seed's own. Raises `ConfigError`."""
    if not len(seeds):
        raise ConfigError("a frame needs at least one seed")
    check_length(len(seeds) * spec.z_size, 1, len(seeds))
    z, labels = latents.draw_arrays(seeds, spec, distribution, label)
    return Walk(z[None], labels[None] if labels is not None else None)


def smooth(
    frames: int,
    cells: int,
    spec: NetworkSpec,
    distribution: dict[str, Any],
    *,
    seed: int = 0,
    sigma: float = 30.0,
    label: Label | None = None,
) -> Walk:
    """Noise smoothed over time, in a loop: the release's `generate_interpolation_video`.

    RandomState(seed) draws [frames, cells, L]; a Gaussian of `sigma` frames smooths it, and the result is divided by
    its root mean square. Each cell keeps its label: `label`, else that of the seeds ``seed .. seed + cells - 1``.
    """
    if not 0 <= sigma < np.inf:
        raise ConfigError(f"sigma must be at least 0 frames, not {sigma:g}")
    z = room(frames, cells, spec)
    _, labels = latents.draw_arrays([(seed + cell) % 2**32 for cell in range(cells)], spec, distribution, label)
    random = np.random.RandomState(seed)
    for frame in range(frames):
        z[frame] = random.standard_normal((cells, spec.z_size))
    squares = 0.0
    for cell in range(cells):  # one at a time: the filter needs several times their memory
        z[:, cell] = smoothed(z[:, cell], sigma)
        squares += float(np.square(z[:, cell], dtype=np.float64).sum())
    z /= np.float32(np.sqrt(squares / z.size))
    return Walk(z, np.repeat(labels[None], frames, 0) if labels is not None else None)


def smoothed(values: np.ndarray, sigma: float) -> np.ndarray:
    """Values [T, ...] smoothed by a Gaussian of `sigma` steps along their first axis, which wraps around."""
    radius = int(REACH * sigma + 0.5)
    steps = np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 * np.square(steps / sigma)) if sigma > 0 else np.ones(1)
    kernel = np.zeros(len(values))
    np.add.at(kernel, steps % len(values), weights / weights.sum())  # a kernel wider than the film wraps around it
    spectrum = np.fft.rfft(kernel)[:, None] * np.fft.rfft(values.reshape(len(values), -1), axis=0)
    return np.fft.irfft(spectrum, len(values), axis=0).reshape(values.shape)


def through(keys: Walk, frames: int, cells: int, spec: NetworkSpec) -> Walk:
    """Along great circles through the cells of a first frame and back, pausing at each; labels and offsets are mixed.

    The first cell of the walk takes the first part of the keys, the second the next, and so on. Raises `ConfigError` if
    they cannot be divided evenly.
    """
    count = keys.z.shape[1]
    if count < 2:
        raise ConfigError("a walk from picture to picture needs at least two")
    z = room(frames, cells, spec)
    if keys.offset is not None and frames * cells * keys.offset[0, 0].size > MOST:
        raise ConfigError(
            f"a walk of {frames:,} frames of {cells:,} projected pictures is too long: "
            "use fewer of either, or project with --latents-only"
        )
    each, left = divmod(count, cells)
    if left or each < 2:
        what = f"{count} pictures cannot be split evenly over {counted(cells, 'cell')}"
        raise ConfigError(f"{what} with at least two each")
    if frames < each:
        raise ConfigError(f"{frames} frames are too few to visit {each} pictures")
    place = np.arange(frames) * each / frames
    leg = place.astype(int)
    t = place - leg
    t = t * t * (3 - 2 * t)  # slow near a key, fast between two
    following = (leg + 1) % each

    def dealt(one: np.ndarray) -> np.ndarray:
        """[1, keys, ...] as [keys of a cell, cells, ...]."""
        return np.asarray(one[0].reshape(cells, each, *one.shape[2:]).swapaxes(0, 1))

    def mixed(one: np.ndarray) -> np.ndarray:
        key, share = dealt(one), t.astype(np.float32).reshape(-1, *[1] * (one.ndim - 1))
        return np.asarray((1 - share) * key[leg] + share * key[following])

    points = dealt(keys.z)
    for cell in range(cells):
        z[:, cell] = arcs(points[leg, cell], points[following, cell], t[:, None])
    labels, offset = keys.labels, keys.offset
    if labels is not None and (labels == labels[:, :1]).all():
        labels = np.repeat(labels[:, :cells], frames, 0)
    elif labels is not None:
        labels = mixed(np.eye(spec.num_labels, dtype=np.float32)[labels] if labels.ndim == 2 else labels)
    if offset is not None:
        offset = mixed(offset)
    return Walk(z, labels, offset)


def arcs(start: np.ndarray, end: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Points between vectors [..., L] along the great circle; lengths change linearly. t: [..., 1], 0 to 1."""
    lengths = [np.linalg.norm(one, axis=-1, keepdims=True) for one in (start, end)]
    a, b = (one / np.maximum(length, 1e-12) for one, length in zip((start, end), lengths, strict=True))
    angle = np.arccos(np.clip(np.sum(a * b, -1, keepdims=True), -1, 1))
    far = np.sin(angle) > 1e-4  # else the same vector, or its opposite, to which no great circle is the shortest
    sine = np.where(far, np.sin(angle), 1.0)
    on_circle = (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / sine
    direction = np.where(far, on_circle, (1 - t) * a + t * b)
    return np.asarray(direction * ((1 - t) * lengths[0] + t * lengths[1]))


def room(frames: int, cells: int, spec: NetworkSpec) -> np.ndarray:
    """An empty array for a walk's latents. Raises `ConfigError` if it would have none, or too many."""
    if frames < 1 or cells < 1:
        raise ConfigError(f"a film needs at least one frame and one cell, not {frames} and {cells}")
    check_length(frames * cells * spec.z_size, frames, cells)
    return np.empty((frames, cells, spec.z_size), dtype=np.float32)


def check_length(numbers: int, frames: int, cells: int) -> None:
    """Raise `ConfigError` if a walk has too many numbers."""
    if numbers > MOST:
        raise ConfigError(f"a walk of {frames:,} frames of {cells:,} pictures is too long")
