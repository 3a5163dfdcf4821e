"""Directions in latent space along which pictures change in one respect, and moving latents along them.

There are two ways to find them. `of_weights` (Shen and Zhou 2021, SeFa) needs no pictures: where the first layer reacts
most, pictures change most. `of_labels` (Shen et al. 2020, InterFaceGAN) fits a person's labels of some seeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from growgan.core.errors import ConfigError
from growgan.editing.files import read_arrays, save_arrays
from growgan.sampling.base import BaseModel
from growgan.sampling.latents import draw_arrays

KEY = "growgan.directions"
"""Metadata key of a directions file."""
FEWEST = 20
"""Fewest labels from which a direction can be fitted."""
SAME = 1e-9
"""Largest difference between labels that count as equal, relative to the largest label."""
LEAST_LEFT = 1e-3
"""Length below which the remainder of a unit vector is only rounding."""
RIDGES = np.logspace(-3, 4, 29)
"""Penalty weights tried in a fit."""


@dataclass(frozen=True)
class Directions:
    """Named unit vectors."""

    vectors: np.ndarray
    """Float32 [K, L]."""
    names: tuple[str, ...]
    weights: tuple[float, ...]
    """Strength of each: for `of_weights` how strongly the first layer reacts, relative to the root mean square over
    all its directions; for `of_labels` the part of the labels' variance that other seeds' labels predict: 1 all, 0
    nothing."""
    method: str
    """``weights`` or ``labels``."""
    model: str
    """SHA-256 of the model file in which they were found."""

    def of(self, name: str) -> np.ndarray:
        """The vector [L] with a name. Raises `ConfigError` if there is none."""
        if name not in self.names:
            known = ", ".join([*self.names[:20], *(["..."] if len(self.names) > 20 else [])])
            raise ConfigError(f"unknown direction {name!r}; choose from: {known}")
        vector: np.ndarray = self.vectors[self.names.index(name)]
        return vector

    def move(self, z: np.ndarray, moves: Mapping[str, float]) -> np.ndarray:
        """Moved latents float32 [..., L]; an amount of 1 equals a latent's length, and each latent keeps its length."""
        length = np.linalg.norm(z, axis=-1, keepdims=True)
        step = sum((amount * self.of(name) for name, amount in moves.items()), np.zeros(z.shape[-1]))
        there = z + length * step
        return np.asarray(there * (length / np.linalg.norm(there, axis=-1, keepdims=True)), dtype=np.float32)

    def check(self, model: BaseModel) -> None:
        """Raise `ConfigError` if the model's latents have a different length."""
        if self.vectors.shape[1] != model.spec.z_size:
            numbers = f"{self.vectors.shape[1]} numbers, and the model's have {model.spec.z_size}"
            raise ConfigError(f"these directions are for latents of {numbers}")


def of_weights(model: BaseModel, count: int) -> Directions:
    """The `count` directions to which the first dense layer reacts most, named ``0``, ``1``, ...

    They are the eigenvectors of WᵀW with the largest eigenvalues, where W is the part of that layer's weight for the
    latent. The sign is chosen so that the largest component is positive. Raises `ConfigError`.
    """
    weight = model.first_weight()
    if not 1 <= count <= weight.shape[1]:
        raise ConfigError(f"--count must be between 1 and {weight.shape[1]} for this model, not {count}")
    values, vectors = np.linalg.eigh(weight.T.astype(np.float64) @ weight)
    strongest = vectors.T[::-1][:count]
    largest = np.abs(strongest).argmax(axis=1)
    strongest = strongest * np.sign(strongest[np.arange(count), largest])[:, None]
    gains = np.sqrt(np.maximum(values[::-1], 0))
    shown = tuple(float(gain) for gain in gains[:count] / np.sqrt(np.mean(np.square(gains))))
    names = tuple(map(str, range(count)))
    return Directions(strongest.astype(np.float32), names, shown, "weights", model.file.hash)


def of_labels(model: BaseModel, said: Mapping[str, Mapping[int, float]]) -> Directions:
    """A direction for each attribute, fitted to labels of some seeds: name -> seed -> a number, such as 0 or 1.

    A linear fit to the normalised latents, with the penalty on its length that best predicts each label from all
    others. Raises `ConfigError` if there are too few labels, or they are all equal.
    """
    if not said:
        raise ConfigError("fitting a direction needs labels for some seeds")
    vectors, scores = [], []
    for name, labels in said.items():
        values = np.array(list(labels.values()), dtype=np.float64)
        largest = np.abs(values).max(initial=0)
        values = values / largest if largest > 0 else values  # so that no square overflows or underflows
        if len(values) < FEWEST or not np.ptp(values) > SAME:
            raise ConfigError(f"{name!r} needs at least {FEWEST} labels, not all equal; it has {len(values)}")
        z, _ = draw_arrays(list(labels), model.spec, model.distribution)
        vector, score = _fitted(z / np.linalg.norm(z, axis=1, keepdims=True), values)
        vectors.append(vector)
        scores.append(score)
    return Directions(np.stack(vectors).astype(np.float32), tuple(said), tuple(scores), "labels", model.file.hash)


def _fitted(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, float]:
    """Unit vector [L] of a ridge regression, and the part of y's variance predicted by leave-one-out."""
    centre = x.mean(axis=0)
    u, s, vt = np.linalg.svd(x - centre, full_matrices=False)
    inside = u.T @ (y - y.mean())
    alone = np.square((y - y.mean()) / (1 - 1 / len(y))).mean()  # the error of predicting each by the others' mean
    best: tuple[float, np.ndarray] | None = None
    for ridge in RIDGES * np.mean(s**2):
        kept = s**2 / (s**2 + ridge)
        fitted = y.mean() + u @ (kept * inside)
        leverage = 1 / len(y) + np.square(u) @ kept
        # Each row predicted without itself, in closed form.
        error = float(np.mean(np.square((y - fitted) / np.maximum(1 - leverage, 1e-9))))
        if best is None or error < best[0]:
            best = error, vt.T @ (kept / np.maximum(s, 1e-12) * inside)
    assert best is not None
    error, vector = best
    return vector / np.linalg.norm(vector), max(0.0, 1 - error / float(alone))


def without(found: Directions, names: Sequence[str]) -> Directions:
    """The same directions, without the components along those of `names`: InterFaceGAN's conditional manipulation.

    Those of `names` do not change, and all weights stay as before.
    Raises `ConfigError` for an unknown name, or a direction of which nothing is left.
    """
    if not names:
        return found
    _, shares, rows = np.linalg.svd(
        np.stack([found.of(name) for name in names]).astype(np.float64), full_matrices=False
    )
    basis = rows[shares > LEAST_LEFT]  # some may be nearly parallel
    freed = found.vectors - (found.vectors @ basis.T) @ basis
    lengths = np.linalg.norm(freed, axis=1)
    for i, name in enumerate(found.names):
        if name in names:
            freed[i], lengths[i] = found.vectors[i], 1.0
        elif lengths[i] < LEAST_LEFT:
            raise ConfigError(f"nothing is left of direction {name!r} without {', '.join(names)}")
    return replace(found, vectors=(freed / lengths[:, None]).astype(np.float32))


def together(first: Directions, *others: Directions) -> Directions:
    """Several sets of directions for one model as one; a later direction replaces an earlier one of its name.

    Raises `ConfigError` if they are for different models.
    """
    parts = (first, *others)
    if len({one.model for one in parts}) > 1:
        raise ConfigError("directions of different models cannot be combined: their latents have nothing in common")
    rows = {name: row for one in parts for name, row in zip(one.names, zip(one.vectors, one.weights))}
    vectors, weights = zip(*rows.values())
    methods = dict.fromkeys(method for one in parts for method in one.method.split("+"))
    return Directions(np.stack(vectors), tuple(rows), tuple(weights), "+".join(methods), first.model)


def save(path: str | Path, found: Directions) -> None:
    """Write a .safetensors file, whole or not at all."""
    about = {"names": found.names, "weights": found.weights, "method": found.method, "model": found.model}
    save_arrays(Path(path), KEY, about, {"directions": found.vectors})


def read(path: Path) -> Directions:
    """Read a file written by `save`. Raises `ModelError` with one line for anything else."""
    return read_arrays(path, KEY, "directions", _made)


def _made(about: dict[str, Any], arrays: dict[str, np.ndarray]) -> Directions:
    vectors = arrays["directions"]
    names, weights = tuple(map(str, list(about["names"]))), tuple(map(float, about["weights"]))
    if vectors.ndim != 2 or not 0 < len(names) == len(set(names)) == len(weights) == len(vectors):
        raise ValueError(f"{len(names)} names for {list(vectors.shape)} numbers")
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=-1)
    if vectors.dtype != np.float32 or not np.isfinite(weights).all() or not np.allclose(lengths, 1, atol=1e-3):
        raise ValueError("not unit vectors in float32")
    return Directions(vectors, names, weights, str(about["method"]), str(about["model"]))
